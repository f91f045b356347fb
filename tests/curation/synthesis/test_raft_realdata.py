"""RAFT rows over real questions, and real documentation that instructs nobody."""

import functools
import json
import os
from pathlib import Path

import pytest

from curation.curate.settings import CurateSettings
from curation.curate.split import split_of
from curation.curate.stage import curate
from curation.ingest.config import SourceConfig
from curation.ingest.sources import list_shards, read_shard
from curation.records import Provenance
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.distractors import DistractorPool, Passage, Wanted
from curation.synthesis.injection import find_instructions
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.raft import Raft, RaftConfig
from curation.synthesis.raft_rows import RaftParts, build_raft_row, read_raft_row
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not os.environ.get("REALDATA_DIR"), reason="REALDATA_DIR is not set"),
]
TREES = ("polars_docs", "fastapi_docs", "httpx_docs", "dagster_university")


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_the_oracle_of_every_fifth_question_is_where_the_row_says(language: str) -> None:
    data = json.loads((Path(os.environ["REALDATA_DIR"]) / "xquad" / f"xquad.{language}.json").read_text(encoding="utf-8"))[
        "data"
    ]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    passages = [Passage(key=str(n), title="", text=item["context"], origin=str(n)) for n, item in enumerate(paragraphs)]
    pool = DistractorPool(passages)
    asked = [(item, passage) for paragraph, passage in zip(paragraphs, passages, strict=True) for item in paragraph["qas"]][::5]
    assert len(asked) == 238
    for item, oracle in asked:
        answer = item["answers"][0]["text"]
        chosen = pool.choose(Wanted(key=item["id"], question=item["question"], answer=answer), oracle, number=4)
        parts = RaftParts(key=item["id"], question=item["question"], answer=answer, quotes=(answer,))
        read = read_raft_row(build_raft_row(parts, oracle, chosen, provenance=Provenance(origin="human", method="raft")))
        assert read.oracle is not None
        assert read.documents[read.oracle] == oracle.text
        assert read.documents.count(oracle.text) == 1
        assert len(set(read.documents)) == 5
        assert answer.lower() in ("no", "s\u00ed") or not any(
            f" {answer} " in text for n, text in enumerate(read.documents) if n != read.oracle
        )


@pytest.mark.slow
def test_curation_keeps_rows_of_one_side_and_drops_many_that_mix(ledger: RequestLedger) -> None:
    source = SourceConfig(
        name="httpx_docs", kind="files", path=str(Path(os.environ["REALDATA_DIR"]) / "httpx_docs" / "**" / "*.md")
    )
    documents = [document for shard in list_shards(source) for document in read_shard(source, shard.key).documents]
    settings = CurateSettings()
    session = Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)
    kept = {}
    for name, side_of in (("one side", functools.partial(split_of, config=settings.curate)), ("mixed", None)):
        method = Raft(RaftConfig(), side_of=side_of)
        made = method.make(method.plan(Inputs(documents=documents)), session)
        assert len(made.examples) > 150
        kept[name] = len(curate(list(made.examples), [], [], settings, version="test").examples) / len(made.examples)
    assert kept["one side"] > 0.95
    assert kept["mixed"] < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("tree", TREES)
def test_documentation_instructs_nobody(tree: str) -> None:
    files = sorted((Path(os.environ["REALDATA_DIR"]) / tree).rglob("*.md"))
    assert len(files) > 20
    flagged = {path.name: found for path in files if (found := find_instructions(path.read_text(encoding="utf-8")))}
    assert flagged == {}
