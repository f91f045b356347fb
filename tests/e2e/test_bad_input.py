"""What a user gets for a mistake: exit code 1 and one clear sentence that names the thing and says what to do."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tiny_recipe import STEPS, make_project

pytestmark = pytest.mark.slow
ROUTING = {"routing": {"routes": {"boats": ["boats:*"], "bread": ["bread:*"]}}}
NO_MODEL = {"base": {"model": "no/such-model"}, "stages": [{"method": "sft", **STEPS}]}

MISTAKES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    (
        {"sources": [{"name": "docs", "kind": "files", "path": "nowhere/*.md"}]},
        ("Source 'docs'", "nowhere/*.md", "Check the path"),
    ),
    ({"sources": [{"name": "docs", "kind": "python_package", "package": "nosuchpkg"}]}, ("'nosuchpkg'", "Install it")),
    ({"teacher": {"kind": "openai", "model": "m", "api_key_env": "NO_SUCH_KEY"}}, ("NO_SUCH_KEY", "Export it")),
    (
        {"teacher": {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}},
        ("http://127.0.0.1:9/v1", "did not answer", "are kept"),
    ),
    ({"generate": ROUTING}, ("tiny.yaml:", "preference pairs", "generate.pairs")),
    ({"training": NO_MODEL}, ("base_model", "no/such-model", "base.model")),
]


@pytest.mark.parametrize(("sections", "parts"), MISTAKES)
def test_a_mistake_ends_in_one_clear_sentence(tmp_path: Path, sections: dict[str, Any], parts: tuple[str, ...]) -> None:
    project = make_project(tmp_path, **sections)
    code, output = project.call("run", str(project.recipe), HF_HUB_OFFLINE="1")
    assert code == 1, output
    sentence = output.strip().splitlines()[-1]
    assert sentence.startswith("error ")
    for part in parts:
        assert part in sentence
    assert "Traceback" not in output


def test_an_unreadable_row_is_a_rejection_and_the_good_rows_are_kept(tmp_path: Path) -> None:
    project = make_project(tmp_path, training=NO_MODEL)
    path = project.folder / "questions.jsonl"
    path.write_text(path.read_text() + "{not json\n")
    _, output = project.call("run", str(project.recipe), HF_HUB_OFFLINE="1")
    assert "demonstrations       done: examples 8, pairs 0, rejections 1" in output


def test_an_empty_source_is_refused_by_name(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (project.folder / "empty.md").write_text("")
    project.change_recipe(sources=[{"name": "docs", "kind": "files", "path": str(project.folder / "empty.md")}])
    code, output = project.call("run", str(project.recipe))
    assert code == 1
    assert "holds no usable record" in output
