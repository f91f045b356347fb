r"""RAFT rows over real data: is the oracle where the row says, is every quote verbatim, does a distractor give the answer away?

python -m benchmarks.raft [--quick]        the last line is JSON

1. xquad in English, German and Spanish: 1,190 questions over 240 paragraphs each, with their answers. Quoted is the sentence
   around the answer. No teacher; `build_raft_row` on given rows.
2. Documentation (Markdown) of polars, fastapi, httpx and dagster: the whole method with the extractive teacher, through a
   session and a ledger on disk.

A row is taken apart again from its text alone. The oracle index is right if the cited document is the one that the question
was asked about, if the provenance's spans say so as well, and if a row without oracle holds it nowhere. The leak is measured by
other code than the guard's: after the normalisation of the SQuAD metric (case, punctuation, English articles), the answer or a
quote stands word for word in a distractor. Beside ours stands a sampler that draws distractors at random from the same
passages, and one that takes the hardest without a check.

Needs REALDATA_DIR.
"""

import argparse
import contextlib
import functools
import json
import os
import random
import re
import string
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.bm25 import Bm25Index
from curation.cited_answer import read_cited_answer
from curation.curate.config import CurateConfig
from curation.curate.split import split_of
from curation.database import Database
from curation.ingest.config import SourceConfig
from curation.ingest.sources import list_shards, read_shard
from curation.records import Document, Example, Provenance
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.distractors import DistractorPool, Passage, Wanted
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.raft import Raft, RaftConfig
from curation.synthesis.raft_rows import RaftParts, build_raft_row, read_raft_row
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher

LANGUAGES = ("en", "de", "es")
TREES = ("polars_docs", "fastapi_docs", "httpx_docs", "dagster_university")
NUM_DISTRACTORS = 4
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u00ab\u00bb\u201e\u201c\u201d\u2018\u2019\u00bf\u00a1", " "))
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass
class Tally:
    """What was counted over one corpus."""

    name: str
    rows: int = 0
    without_oracle: int = 0
    index_right: int = 0
    quotes: int = 0
    verbatim: int = 0
    leaked: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    positions: Counter[int] = field(default_factory=Counter)
    rivals: dict[str, int] = field(default_factory=Counter)  # type: ignore[assignment]
    rejections: Counter[str] = field(default_factory=Counter)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of a block."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu

    def print(self) -> None:
        """Print one line of the table."""
        places = [self.positions[place] for place in range(NUM_DISTRACTORS + 1)]
        shares = {name: f"{count / max(1, self.rows):.1%}" for name, count in self.rivals.items()}
        print(
            f"{self.name:<20}{self.rows:>6}{self.without_oracle:>8}{self.index_right:>8}{self.verbatim:>7}/{self.quotes:<7}"
            f"{self.leaked / max(1, self.rows):>8.2%}   {shares}   {self.rows / max(self.seconds, 1e-9):>8.0f}/s"
            f"   places {places}   rejected {dict(self.rejections)}"
        )


def normalise(text: str) -> str:
    """Normalise as the SQuAD metric does (Rajpurkar et al. 2016), but keep word borders."""
    text = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return f" {' '.join(text.split())} "


def leaks(texts: Iterable[str], answers: Sequence[str]) -> bool:
    """Tell whether one of some texts holds an answer or quote word for word."""
    wanted = [wanted for answer in answers if (wanted := normalise(answer)).strip()]
    return any(item in normalised for normalised in map(normalise, texts) for item in wanted)


def judge_row(row: Example, oracle: Passage, answers: Sequence[str], tally: Tally) -> None:
    """Count one row, from its text and its provenance alone."""
    read = read_raft_row(row)
    tally.rows += 1
    others = [text for place, text in enumerate(read.documents) if place != read.oracle]
    if read.citations:
        assert read.oracle is not None
        tally.positions[read.oracle] += 1
        is_right = read.documents[read.oracle] == oracle.text and oracle.text not in others
        tally.index_right += is_right and _place_by_spans(row, len(read.documents)) in (None, read.oracle)
    else:
        tally.without_oracle += 1
        tally.index_right += oracle.text not in read.documents
    tally.quotes += len(read.citations)
    tally.verbatim += sum(citation.text in oracle.text for citation in read.citations)
    tally.leaked += leaks(others, [*answers, *(citation.text for citation in read.citations)])


def _place_by_spans(row: Example, num_documents: int) -> int | None:
    """Return where the provenance puts the oracle; None for rows without spans."""
    spans = row.provenance.spans
    if not spans:
        return None
    quotes, documents = spans[:-num_documents], spans[-num_documents:]
    places = {
        place
        for quote in quotes
        for place, span in enumerate(documents)
        if span.document_key == quote.document_key and span.start <= quote.start and quote.end <= span.end
    }
    return places.pop() if len(places) == 1 else -1


def run_xquad(folder: Path, language: str, limit: int | None) -> Tally:
    """Build and judge the rows of one language."""
    data = json.loads((folder / "xquad" / f"xquad.{language}.json").read_text(encoding="utf-8"))["data"]
    passages: list[Passage] = []
    asked: list[tuple[dict[str, Any], Passage]] = []
    for article in data:
        for paragraph in article["paragraphs"]:
            title = article["title"].replace("_", " ")
            passage = Passage(key=f"xquad_{language}/{len(passages)}", title=title, text=paragraph["context"], origin=title)
            passages.append(passage)
            asked += [(question, passage) for question in paragraph["qas"]]
    asked = asked[:limit]
    tally = Tally(f"xquad {language}")
    with tally.timed():
        pool = DistractorPool(passages)
        rows = [_xquad_row(question, passage, pool, tally) for question, passage in asked]
    for row, (question, passage) in zip(rows, asked, strict=True):
        if row is not None:
            judge_row(row, passage, [question["answers"][0]["text"]], tally)
    add_rivals(tally, passages, [(q["id"], q["question"], p, [q["answers"][0]["text"], _sentence(q, p)]) for q, p in asked])
    return tally


def _xquad_row(question: dict[str, Any], passage: Passage, pool: DistractorPool, tally: Tally) -> Example | None:
    key = f"{passage.key}#raft/{question['id']}"
    answer, quote = question["answers"][0]["text"], _sentence(question, passage)
    chosen = pool.choose(
        Wanted(key=key, question=question["question"], answer=answer, quotes=(quote,)), passage, number=NUM_DISTRACTORS
    )
    if len(chosen) < NUM_DISTRACTORS:
        tally.rejections["too_few_distractors"] += 1
        return None
    return build_raft_row(
        RaftParts(key=key, question=question["question"], answer=answer, quotes=(quote,)),
        passage,
        chosen,
        provenance=Provenance(origin="human", method="raft"),
    )


def _sentence(question: dict[str, Any], passage: Passage) -> str:
    """Return the sentence around the answer, verbatim."""
    answer = question["answers"][0]
    start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    borders = [0, *(match.end() for match in _SENTENCE_END.finditer(passage.text)), len(passage.text)]
    begin = max(border for border in borders if border <= start)
    stop = min(border for border in borders if border >= end and border > begin)
    return passage.text[begin:stop].strip()


def run_tree(folder: Path, name: str, limit: int | None) -> Tally:
    """Run the method over one documentation tree and judge its rows."""
    documents = read_tree(folder, name)
    config = RaftConfig(num_distractors=NUM_DISTRACTORS)
    tally = Tally(name)
    with tempfile.TemporaryDirectory() as home:
        database = Database.open(Path(home) / "ledger.db", concern="ledger", migrations=MIGRATIONS)
        with RequestLedger(database) as ledger:
            session = Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)
            with tally.timed():
                method = Raft(config, side_of=functools.partial(split_of, config=CurateConfig()))
                units = method.plan(Inputs(documents=documents))[:limit]
                made = method.make(units, session)
    tally.rejections.update(rejection.reason for rejection in made.rejections)
    oracles = {unit.key: unit.payload.oracle for unit in units}
    cases = []
    for row in made.examples:
        oracle = oracles[row.key.rpartition("/")[0]]
        answer = read_cited_answer(row.answer)
        judge_row(row, oracle, [answer.text], tally)
        question = read_raft_row(row).question
        cases.append((row.key, question, oracle, [answer.text, *(citation.text for citation in answer.citations)]))
    add_rivals(tally, units[0].payload.pool.passages, cases)
    return tally


def read_tree(folder: Path, name: str) -> list[Document]:
    """Return the documents of a tree."""
    source = SourceConfig(name=name, kind="files", path=str(folder / name / "**" / "*.md"))
    return [document for shard in list_shards(source) for document in read_shard(source, shard.key).documents]


def add_rivals(tally: Tally, passages: list[Passage], cases: list[tuple[str, str, Passage, list[str]]]) -> None:
    """Count the leaks of two simple samplers over the same passages and questions."""
    index = Bm25Index(f"{passage.title}\n{passage.text}" for passage in passages)

    def draw_random(key: str, question: str, oracle: Passage) -> list[Passage]:
        return random.Random(key).sample([item for item in passages if item.key != oracle.key], NUM_DISTRACTORS)

    def draw_hardest(key: str, question: str, oracle: Passage) -> list[Passage]:
        ranked = [passages[at] for at, _ in index.rank(question, limit=NUM_DISTRACTORS + 1)]
        return [item for item in ranked if item.key != oracle.key][:NUM_DISTRACTORS]

    rivals: dict[str, Callable[[str, str, Passage], list[Passage]]] = {"random": draw_random, "bm25": draw_hardest}
    for name, draw in rivals.items():
        tally.rivals[name] = sum(
            leaks([item.text for item in draw(key, question, oracle)], answers) for key, question, oracle, answers in cases
        )


def main() -> None:
    """Run over all corpora and print the table and the line of JSON."""
    parser = argparse.ArgumentParser(description="RAFT rows over real data.")
    parser.add_argument("--quick", action="store_true", help="150 questions a language, 60 chunks a tree")
    quick = parser.parse_args().quick
    folder = Path(os.environ["REALDATA_DIR"])
    print(f"{'corpus':<20}{'rows':>6}{'without':>8}{'right':>8}{'verbatim':>11}{'leaked':>12}   rivals' leaks")
    tallies = [run_xquad(folder, language, 150 if quick else None) for language in LANGUAGES]
    tallies += [run_tree(folder, name, 60 if quick else None) for name in TREES]
    for tally in tallies:
        tally.print()
    rows = sum(tally.rows for tally in tallies)
    figures = {
        "rows": rows,
        "oracle_index_right": sum(tally.index_right for tally in tallies) / rows,
        "citations_verbatim": sum(tally.verbatim for tally in tallies) / sum(tally.quotes for tally in tallies),
        "answer_leaked_share": round(sum(tally.leaked for tally in tallies) / rows, 5),
        "rows_per_s": round(rows / sum(tally.seconds for tally in tallies)),
        "rows_per_cpu_s": round(rows / sum(tally.cpu_seconds for tally in tallies)),
        **{f"{name}_leaked_share": round(sum(t.rivals[name] for t in tallies) / rows, 4) for name in ("random", "bm25")},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
