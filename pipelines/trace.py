"""`tunewright trace ID`: the chain of a row, answer or model back to source text, teacher call and verdict.

example  sdk_assistant/candidates  polars_api/polars.Expr.str.head#routing/0
  source   polars_api/polars.Expr.str.head [12:61]  "Return the first n characters of each string."
  teacher  request 5f...  extractive, 0 tokens
  verdict  approve by automatic:source_span (automatic), 2026-11-23

Rows are found by the lineage index (`curation.lineage`), and one shard is read for each; what is withdrawn says so.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from curation.config import as_plain
from curation.errors import UnknownIdError
from curation.home import Home
from curation.lineage.search import TableIndex, open_table
from curation.lineage.withdrawals import Withdrawal, find_withdrawal, standing_withdrawals
from curation.records import Document, Example, PreferencePair, ReviewItem, UnpairedPreference, VerifiableTask, record_hash
from curation.review.queue import open_queue
from curation.store import Snapshot, Store
from curation.synthesis.ledger.request_ledger import open_ledger
from evaluation.records import EvalAnswer
from evaluation.release.registry import open_release_ledger
from pipelines.terminal import printable

MIN_PREFIX = 8
MAX_ROWS_OF_CALL = 50
STAGES = ("verified_examples", "curated_examples", "candidates", "demonstrations")
"""Where rows are looked for, the last stage first."""
TABLES = ("examples", "pairs", "unpaired", "tasks")
Row = Example | PreferencePair | UnpairedPreference | VerifiableTask


@dataclass(frozen=True, kw_only=True)
class Link:
    """One thing in the chain, and what it comes from."""

    what: str
    """`example`, `pair`, `answer`, `model`, `source`, `teacher call`, `verdict`, `data set`, `release`."""
    id: str
    facts: dict[str, Any] = field(default_factory=dict)
    origins: tuple["Link", ...] = ()

    def as_plain(self) -> dict[str, Any]:
        """Return the chain as plain values."""
        plain: dict[str, Any] = as_plain(self)
        return plain


def trace_id(home: Home, id: str) -> Link:
    """Find what an id names and follow it back.

    Raises:
        UnknownIdError: if nothing in this home has it.
    """
    tracer = _Tracer(home)
    for find in (tracer.find_row, tracer.find_item, tracer.find_call, tracer.find_answer, tracer.find_model):
        link = find(id)
        if link is not None:
            return link
    raise UnknownIdError(id=id)


def print_trace(chain: Link, console: Console) -> None:
    """Print a chain as a tree."""
    tree = Tree(_label(chain))
    _grow(tree, chain)
    console.print(tree, soft_wrap=True)


def _grow(tree: Tree, link: Link) -> None:
    for origin in link.origins:
        _grow(tree.add(_label(origin)), origin)


def _label(link: Link) -> Text:
    facts = "\n".join(f"  {name}: {value}" for name, value in link.facts.items() if value not in ("", None, [], ()))
    return Text(printable(f"{link.what}  {link.id}\n{facts}".rstrip()))


class _Tracer:
    """Looks things up in the newest snapshots and the databases of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store: Store = home.store()
        self.snapshots: list[Snapshot] = self.store.list_snapshots("")
        self._tables: dict[str, TableIndex] = {}
        self._found: dict[str, Link | None] = {}

    def find_row(self, id: str) -> Link | None:
        """A row, by key or hash."""
        if id not in self._found:
            self._found[id] = None  # a row that descends from itself ends here
            self._found[id] = next(self._rows_by_id(id), None)
        return self._found[id]

    def _rows_by_id(self, id: str) -> Iterator[Link]:
        for snapshot, table in self._row_tables():
            for place in table.find_key(id):
                row = table.read(place)
                if row.key == id:
                    yield self._row(snapshot, row)
        if len(id) >= MIN_PREFIX:
            for snapshot, table in self._row_tables():
                for place in table.find_hash(id):
                    row = table.read(place)
                    if _is_prefix(id, record_hash(row)):
                        yield self._row(snapshot, row)

    def _row_tables(self) -> Iterator[tuple[Snapshot, TableIndex]]:
        for stage in STAGES:
            for snapshot in self._of(stage):
                for name in TABLES:
                    if name in snapshot.tables:
                        yield snapshot, self._table(snapshot.tables[name].root)

    def _table(self, root: str) -> TableIndex:
        if root not in self._tables:
            self._tables[root] = open_table(self.store, root)
        return self._tables[root]

    def find_item(self, id: str) -> Link | None:
        """A review item, by key."""
        for snapshot in self._of("review_queue"):
            table = self._table(snapshot.tables["items"].root)
            for place in table.find_key(id) or (table.find_key_prefix(id) if len(id) >= MIN_PREFIX else ()):
                item: ReviewItem = table.read(place)
                row = self.find_row(item.record_key)
                verdicts = self._verdicts(snapshot.asset.partition("/")[0], item.key)
                return Link(what="review item", id=item.key, origins=(*verdicts, *([row] if row else [])))
        return None

    def find_call(self, id: str) -> Link | None:
        """A teacher call, by request id, with the rows that came of it."""
        found = self._calls([id]) if len(id) >= MIN_PREFIX else ()
        if not found:
            return None
        rows: dict[str, None] = {}
        for _, table in self._row_tables():
            for place in table.find_request(id)[: MAX_ROWS_OF_CALL + 1]:
                rows.setdefault(table.key_at(place))
        more = len(rows) - MAX_ROWS_OF_CALL
        shown = [*list(rows)[:MAX_ROWS_OF_CALL], *([f"and {more} more or above"] if more > 0 else [])]
        return replace(found[0], facts={**found[0].facts, "rows": shown})

    def find_answer(self, id: str) -> Link | None:
        """A held-out answer, by `COMPARATOR/ITEM_KEY`."""
        comparator = id.partition("/")[0]
        for snapshot in self._of("answers"):
            for answer in self.store.read_table(EvalAnswer, snapshot.tables["answers"].root):
                if answer.key == id:
                    item, model = self.find_row(answer.item_key), self.find_model(answer.model_hash)
                    facts = {
                        "comparator": comparator,
                        "question": answer.prompt,
                        "answer": answer.answer,
                        "reference": answer.reference,
                    }
                    return Link(what="answer", id=id, facts=facts, origins=tuple(link for link in (item, model) if link))
        return None

    def find_model(self, id: str) -> Link | None:
        """A model, by the hash of its folder."""
        for snapshot in self.snapshots:
            model = snapshot.folders.get("model", "")
            if snapshot.asset.endswith("_model") and _is_prefix(id, model):
                manifest = json.loads((self.store.get_folder(model) / "manifest.json").read_text())
                facts = {
                    "asset": snapshot.asset,
                    "withdrawn": self._marks(model),
                    "seed": manifest.get("seed"),
                    "versions": manifest.get("versions"),
                }
                return Link(what="model", id=model, facts=facts, origins=(*self._inputs(snapshot), *self._releases(model)))
        return None

    def _of(self, asset: str) -> Iterator[Snapshot]:
        return (snapshot for snapshot in self.snapshots if snapshot.asset.rpartition("/")[2] == asset)

    @functools.cached_property
    def _standing(self) -> tuple[Withdrawal, ...]:
        return standing_withdrawals(self.home)

    def _marks(self, model: str) -> list[str]:
        """Say which withdrawals found this model trained on what was withdrawn."""
        return [entry.sentence() for entry in self._standing if model in entry.model_hashes]

    def _row(self, snapshot: Snapshot, row: Row) -> Link:
        recipe = snapshot.asset.partition("/")[0]
        provenance = row.provenance
        parents = tuple(link for key in provenance.parents if key != row.key and (link := self.find_row(key)) is not None)
        facts = {
            "asset": snapshot.asset,
            "hash": record_hash(row),
            "withdrawn": self._why_withdrawn(row, parents),
            "split": f"{row.split} (group {row.group})",
            **_shown(row),
            "origin": f"{provenance.origin}, {provenance.method}, depth {provenance.generation_depth}",
            "template": f"{provenance.template_id} {provenance.template_hash}".strip(),
            "teacher": f"{provenance.teacher} {provenance.teacher_revision}".strip(),
            "license": provenance.license,
        }
        sources = tuple(self._sources(row))
        verdicts = self._verdicts_of_row(recipe, row)
        calls = self._calls(provenance.request_ids)
        return Link(what=_WHAT[type(row)], id=row.key, facts=facts, origins=(*sources, *calls, *verdicts, *parents))

    def _why_withdrawn(self, row: Row, parents: tuple[Link, ...]) -> str:
        for key in (row.key, *(span.document_key for span in row.provenance.spans), *row.provenance.parents):
            found = find_withdrawal(key, self._standing)
            if found is not None:
                return found.sentence()
        return next((str(link.facts["withdrawn"]) for link in parents if link.facts.get("withdrawn")), "")

    def _sources(self, row: Row) -> Iterator[Link]:
        for span in row.provenance.spans:
            text = self._document_text(span.document_key, span.document_hash)
            quote = (
                text[span.start : span.end]
                if text is not None
                else "(this version of the document is not among the newest ones)"
            )
            yield Link(
                what="source",
                id=f"{span.document_key} {span.start}..{span.end}",
                facts={"document hash": span.document_hash, "text": quote},
            )

    def _document_text(self, key: str, digest: str) -> str | None:
        for snapshot in self._of("documents"):
            table = self._table(snapshot.tables["documents"].root)
            for place in table.find_key(key):
                document: Document = table.read(place)
                if document.key == key and record_hash(document) == digest:
                    return document.text
        return None

    def _calls(self, ids: tuple[str, ...] | list[str]) -> tuple[Link, ...]:
        if not ids:
            return ()
        with open_ledger(self.home) as ledger:
            calls = [call for id in ids if (call := ledger.get(id)) is not None]
        return tuple(
            Link(
                what="teacher call",
                id=call.key,
                facts={
                    "teacher": f"{call.provider} {call.model} {call.revision}".strip(),
                    "endpoint": call.endpoint,
                    "at": call.created_at,
                    "tokens": f"{call.prompt_tokens} in, {call.completion_tokens} out",
                    "cost": f"{call.cost_usd} USD",
                    "reply": _short(call.reply),
                },
            )
            for call in calls
        )

    def _verdicts_of_row(self, recipe: str, row: Row) -> tuple[Link, ...]:
        keys = [row.key, *(row.provenance.parents if row.provenance.method == "edit" else ())]
        for snapshot in self._of("review_queue"):
            if snapshot.asset.startswith(f"{recipe}/"):
                table = self._table(snapshot.tables["items"].root)
                for place in [place for key in keys for place in table.find_parent(key)]:
                    item: ReviewItem = table.read(place)
                    if item.record_key in keys:
                        return self._verdicts(recipe, item.key)
        return ()

    def _verdicts(self, recipe: str, item_key: str) -> tuple[Link, ...]:
        with open_queue(self.home, recipe) as queue:
            verdicts = queue.history(item_key)
        return tuple(
            Link(
                what="verdict",
                id=f"{verdict.sequence}",
                facts={
                    "decision": verdict.decision,
                    "by": f"{verdict.reviewer} ({verdict.reviewer_kind})",
                    "at": verdict.created_at,
                    "reason": verdict.reason,
                    "edited to": verdict.edited_answer,
                },
            )
            for verdict in verdicts
        )

    def _inputs(self, snapshot: Snapshot) -> Iterator[Link]:
        for name, version in snapshot.inputs.items():
            source = next((item for item in self.snapshots if item.asset == name and item.version == version), None)
            tables = {table: f"{ref.num_rows} rows, root {ref.root}" for table, ref in source.tables.items()} if source else {}
            parent = self.find_model(source.folders["model"]) if source and "model" in source.folders else None
            yield parent or Link(what="data set", id=name, facts={"version": version, **tables})

    def _releases(self, model: str) -> Iterator[Link]:
        ledger = open_release_ledger(self.home)
        try:
            recipes = {snapshot.asset.partition("/")[0] for snapshot in self.snapshots}
            entries = [entry for recipe in sorted(recipes) for entry in ledger.history(recipe) if entry.model_hash == model]
        finally:
            ledger.close()
        for entry in entries:
            facts = {
                "action": entry.action,
                "at": entry.created_at,
                "by": entry.who,
                "reason": entry.reason,
                "evidence": entry.evidence_hash,
            }
            yield Link(what="release", id=f"{entry.recipe} {entry.sequence}", facts=facts)


def _is_prefix(id: str, digest: str) -> bool:
    return len(id) >= MIN_PREFIX and digest.startswith(id)


_WHAT = {Example: "example", PreferencePair: "pair", UnpairedPreference: "rated answer", VerifiableTask: "task"}


def _shown(row: Row) -> dict[str, str]:
    """Return the texts of a row."""
    if isinstance(row, PreferencePair):
        texts = {"answer": row.chosen, "rejected": row.rejected, "rejected kind": row.rejected_kind}
    elif isinstance(row, VerifiableTask):
        texts = {"reference": row.reference, "grader": row.grader}
    else:
        texts = {"answer": row.answer}
    return {"prompt": _prompt(row), **texts}


def _prompt(row: Row) -> str:
    return _short("\n".join(message.text for message in row.prompt))


def _short(text: str) -> str:
    return text if len(text) <= 400 else text[:397] + "..."
