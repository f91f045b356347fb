"""`tunewright trace ID`: the chain of a row, answer or model back to source text, teacher call and verdict.

example  sdk_assistant/candidates  polars_api/polars.Expr.str.head#routing/0
  source   polars_api/polars.Expr.str.head [12:61]  "Return the first n characters of each string."
  teacher  request 5f...  extractive, 0 tokens
  verdict  approve by automatic:source_span (automatic), 2026-11-23
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.tree import Tree

from curation.config import as_plain
from curation.errors import UnknownIdError
from curation.home import Home
from curation.records import Document, Example, PreferencePair, ReviewItem, record_hash
from curation.review.queue import open_queue
from curation.store import Snapshot, Store
from curation.synthesis.ledger import open_ledger
from evaluation.records import EvalAnswer
from evaluation.registry import open_release_ledger

MIN_PREFIX = 8
ROW_TABLES: tuple[tuple[str, str, type], ...] = (
    ("verified_examples", "examples", Example),
    ("verified_examples", "pairs", PreferencePair),
    ("curated_examples", "examples", Example),
    ("curated_examples", "pairs", PreferencePair),
    ("candidates", "examples", Example),
    ("candidates", "pairs", PreferencePair),
    ("demonstrations", "examples", Example),
)


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


def _label(link: Link) -> str:
    facts = "\n".join(f"  {name}: {value}" for name, value in link.facts.items() if value not in ("", None, [], ()))
    text = f"{link.what}  {link.id}\n{facts}".rstrip()
    return text.replace("[", "\\[")


class _Tracer:
    """Looks things up in the newest snapshots and the databases of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store: Store = home.store()
        self.snapshots: list[Snapshot] = self.store.list_snapshots("")

    def find_row(self, id: str) -> Link | None:
        """An example or a pair, by key or hash."""
        for asset, table, cls in ROW_TABLES:
            for snapshot in self._of(asset):
                if table in snapshot.tables:
                    row: Any
                    for row in self.store.read_table(cls, snapshot.tables[table].root):
                        if row.key == id or _is_prefix(id, record_hash(row)):
                            return self._row(snapshot, row)
        return None

    def find_item(self, id: str) -> Link | None:
        """A review item, by key."""
        for snapshot in self._of("review_queue"):
            for item in self.store.read_table(ReviewItem, snapshot.tables["items"].root):
                if _is_prefix(id, item.key):
                    row = self.find_row(item.record_key)
                    verdicts = self._verdicts(snapshot.asset.partition("/")[0], item.key)
                    return Link(what="review item", id=item.key, origins=(*verdicts, *([row] if row else [])))
        return None

    def find_call(self, id: str) -> Link | None:
        """A teacher call, by request id."""
        found = self._calls([id]) if len(id) >= MIN_PREFIX else ()
        return found[0] if found else None

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
                facts = {"asset": snapshot.asset, "seed": manifest.get("seed"), "versions": manifest.get("versions")}
                return Link(what="model", id=model, facts=facts, origins=(*self._inputs(snapshot), *self._releases(model)))
        return None

    def _of(self, asset: str) -> Iterator[Snapshot]:
        return (snapshot for snapshot in self.snapshots if snapshot.asset.rpartition("/")[2] == asset)

    def _row(self, snapshot: Snapshot, row: Example | PreferencePair) -> Link:
        recipe = snapshot.asset.partition("/")[0]
        shown = {"prompt": _prompt(row), "answer": row.answer if isinstance(row, Example) else row.chosen}
        if isinstance(row, PreferencePair):
            shown |= {"rejected": row.rejected, "rejected kind": row.rejected_kind}
        provenance = row.provenance
        facts = {
            "asset": snapshot.asset,
            "hash": record_hash(row),
            "split": f"{row.split} (group {row.group})",
            **shown,
            "origin": f"{provenance.origin}, {provenance.method}, depth {provenance.generation_depth}",
            "template": f"{provenance.template_id} {provenance.template_hash}".strip(),
            "teacher": f"{provenance.teacher} {provenance.teacher_revision}".strip(),
            "license": provenance.license,
        }
        parents = tuple(link for key in provenance.parents if key != row.key and (link := self.find_row(key)) is not None)
        sources = tuple(self._sources(row))
        verdicts = self._verdicts_of_row(recipe, row)
        what = "example" if isinstance(row, Example) else "pair"
        return Link(
            what=what, id=row.key, facts=facts, origins=(*sources, *self._calls(provenance.request_ids), *verdicts, *parents)
        )

    def _sources(self, row: Example | PreferencePair) -> Iterator[Link]:
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
            for document in self.store.read_table(Document, snapshot.tables["documents"].root):
                if document.key == key and record_hash(document) == digest:
                    return document.text
        return None

    def _calls(self, ids: tuple[str, ...] | list[str]) -> tuple[Link, ...]:
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

    def _verdicts_of_row(self, recipe: str, row: Example | PreferencePair) -> tuple[Link, ...]:
        keys = [row.key, *row.provenance.parents]
        for snapshot in self._of("review_queue"):
            if snapshot.asset.startswith(f"{recipe}/"):
                for item in self.store.read_table(ReviewItem, snapshot.tables["items"].root):
                    if item.record_key in keys and (item.record_key == row.key or row.provenance.method == "edit"):
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


def _prompt(row: Example | PreferencePair) -> str:
    return _short("\n".join(message.text for message in row.prompt))


def _short(text: str) -> str:
    return text if len(text) <= 400 else text[:397] + "..."
