import sys
from types import ModuleType, SimpleNamespace

import pytest

from curation.errors import NerModelMissingError
from curation.privacy import ner
from curation.privacy.config import NerConfig, PrivacyConfig
from curation.privacy.detect import find_findings


@pytest.fixture
def gliner(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for the library: it finds `Weber` wherever it stands, and notes how it was loaded."""
    seen = SimpleNamespace(loaded=[], asked=[])

    class Model:
        @staticmethod
        def from_pretrained(name: str, **options: object) -> "Model":
            seen.loaded.append((name, options))
            return Model()

        def predict_entities(self, text: str, labels: list[str], threshold: float) -> list[dict[str, object]]:
            seen.asked.append((text, labels, threshold))
            starts = [start for start in range(len(text)) if text.startswith("Weber", start)]
            return [{"start": start, "end": start + 5, "label": "person", "score": 0.9} for start in starts]

    module = ModuleType("gliner")
    module.GLiNER = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gliner", module)
    ner._load_gliner.cache_clear()
    return seen


def test_gliner_is_asked_for_the_labels_and_never_for_a_download(gliner: SimpleNamespace) -> None:
    config = PrivacyConfig(ner=NerConfig(model="/models/small", kind="gliner", labels={"person": "PERSON"}, min_score=0.4))
    findings = find_findings("Then Weber lost the match", config)
    assert [(item.entity, item.start, item.end, item.detector) for item in findings] == [("PERSON", 5, 10, "ner:gliner")]
    assert gliner.loaded == [("/models/small", {"local_files_only": True})]
    assert gliner.asked[0][1:] == (["person"], 0.4)


def test_long_texts_reach_the_model_in_parts_with_right_offsets(gliner: SimpleNamespace) -> None:
    text = "Nothing here. " * 300 + "So Weber lost. " + "More of it. " * 300
    config = PrivacyConfig(ner=NerConfig(model="m", kind="gliner"))
    assert [text[item.start : item.end] for item in find_findings(text, config)] == ["Weber"]
    assert max(len(part) for part, _, _ in gliner.asked) <= 1200
    assert "".join(part for part, _, _ in gliner.asked) == text


def test_a_missing_library_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gliner", None)
    ner._load_gliner.cache_clear()
    with pytest.raises(NerModelMissingError, match="GLiNER"):
        find_findings("x", PrivacyConfig(ner=NerConfig(model="m", kind="gliner")))


@pytest.mark.slow  # importing spaCy takes seconds
def test_a_spacy_pipeline_is_loaded_from_its_folder(tmp_path: object) -> None:
    import spacy

    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "ORG", "pattern": "Acme Corp"}, {"label": "DATE", "pattern": "May"}])  # type: ignore[attr-defined]
    pipeline.to_disk(f"{tmp_path}/model")
    findings = find_findings("In May Acme Corp closed.", PrivacyConfig(ner=NerConfig(model=f"{tmp_path}/model")))
    assert [(item.entity, item.start, item.end) for item in findings] == [("ORGANIZATION", 7, 16)]
    with pytest.raises(NerModelMissingError, match="spaCy"):
        find_findings("x", PrivacyConfig(ner=NerConfig(model=f"{tmp_path}/none")))
