"""Tries one model on rows: how likely are their answers, are they continued word for word, how exposed are canaries.

    probe_rows(load, rows, MemorisationConfig(), model="sft_model", model_hash="9f...", batch_size=32, cache=cache)

A row is extractable with k tokens of context if greedy decoding goes on from them with the very text that follows (Carlini et
al., "Quantifying memorization across neural language models", ICLR 2023): the k tokens before the middle of a document, or the
first k tokens of an answer, behind its prompt.
"""

import bisect
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from curation.ids import content_hash, stable_fraction
from curation.records import Document, Example, Message, record_hash
from curation.store import Store
from evaluation.forgetting.cache import MeasureCache
from evaluation.forgetting.probe import Probed
from evaluation.memorisation.canaries import draw_references, find_secret, rank_of
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.records import RowProbe, Side

FORMAT = 1
"""Raise it when rows are tried differently: what was measured before does not count then."""
ROWS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class ProbedRow:
    """A row on one side: what is given, what follows."""

    side: Side
    key: str
    hash: str
    group: str
    prompt: tuple[Message, ...]
    """Empty for a document."""
    text: str
    """The answer, or the document."""
    tools: str = ""
    """Definitions of the tools that training showed with the prompt, as JSON; empty for none."""

    @property
    def measured_as(self) -> str:
        """What a measured value is kept under."""
        return content_hash([self.hash, {"tools": "shown"}]) if self.tools else self.hash


def choose_rows(side: Side, records: Iterable[Example | Document], config: MemorisationConfig, *, seed: int) -> list[ProbedRow]:
    """Return at most `max_rows` rows of a side, a choice that stays put as others come and go, and all of its canaries."""
    rows = [_row(side, record) for record in records]
    chosen = sorted(rows, key=lambda row: (stable_fraction(row.key, f"memorisation:{seed}"), row.key))[: config.max_rows]
    kept = {row.key for row in chosen} | {row.key for row in rows if find_secret(row.prompt, row.text) is not None}
    return sorted((row for row in rows if row.key in kept), key=lambda row: row.key)


def _row(side: Side, record: Example | Document) -> ProbedRow:
    prompt, text = (record.prompt, record.answer) if isinstance(record, Example) else ((), record.text)
    tools = record.tools if isinstance(record, Example) else ""
    row_hash = record_hash(record)
    return ProbedRow(side=side, key=record.key, hash=row_hash, group=record.group, prompt=prompt, text=text, tools=tools)


def read_sides(
    store: Store, *, training: str, held_out: str, documents: str, config: MemorisationConfig, seed: int
) -> list[ProbedRow]:
    """Return the chosen rows of all sides, from the table roots given; an empty root stands for no rows.

    Raises:
        MissingTableError: if a table is not in the store.
    """
    rows = []
    for side, root in (("training", training), ("held_out", held_out)):
        examples = store.read_table(Example, root, asset="sft_dataset and eval_set") if root else ()
        rows += choose_rows("training" if side == "training" else "held_out", examples, config, seed=seed)
    found = store.read_table(Document, documents, asset="dapt_corpus") if documents else ()
    return [*rows, *choose_rows("documents", found, config, seed=seed)]


def cache_settings(config: MemorisationConfig, model_hash: str) -> dict[str, Any]:
    """Return what a measured value depends on besides the row."""
    lengths = [list(config.prefix_tokens), config.suffix_tokens, config.references]
    return {"model": model_hash, "lengths": lengths, "memorisation": FORMAT}


def probe_rows(
    load: Callable[[], Probed],
    rows: Sequence[ProbedRow],
    config: MemorisationConfig,
    *,
    model: str,
    model_hash: str,
    batch_size: int,
    cache: MeasureCache,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[list[RowProbe], int]:
    """Return one result a row, in order, and how many were measured now. Raises EvaluationError as the model does."""
    waiting = list({row.hash: row for row in rows if cache.get(row.measured_as) is None}.values())
    for start in range(0, len(waiting), ROWS_AT_ONCE):
        part = waiting[start : start + ROWS_AT_ONCE]
        found = _measure(load(), part, config, batch_size)
        cache.put({row.measured_as: found[row.hash] for row in part})
        tell(start + len(part), len(waiting))
    return [_result(row, cache.get(row.measured_as), model, model_hash, config.references) for row in rows], len(waiting)


def _measure(
    model: Probed, rows: Sequence[ProbedRow], config: MemorisationConfig, batch_size: int
) -> dict[str, dict[str, Any]]:
    sizes = {row.hash: len(model.tokenize(row.text, has_special_tokens=False)) for row in rows}
    fitting = [row for row in rows if sizes[row.hash] and (not row.prompt or sizes[row.hash] < model.context_length)]
    found: dict[str, dict[str, Any]] = {
        row.hash: {"log_likelihood": 0.0, "num_tokens": 0, "tried": [], "verbatim": [], "rank": 0} for row in rows
    }
    for row, value in zip(fitting, _likelihoods(model, fitting, batch_size), strict=True):
        found[row.hash] |= {"log_likelihood": value[0], "num_tokens": value[1]}
    for length in config.prefix_tokens:
        cuts = {row.hash: _cut(model, row, length, config.suffix_tokens) for row in fitting}
        tried = {key: cut for key, cut in cuts.items() if cut is not None}
        exact = _continues(model, list(tried.values()), config.suffix_tokens, batch_size)
        for key, is_verbatim in zip(tried, exact, strict=True):
            found[key]["tried"].append(length)
            found[key]["verbatim"] += [length] if is_verbatim else []
    for row in fitting:
        if (secret := find_secret(row.prompt, row.text)) is not None:
            found[row.hash]["rank"] = _rank(model, row, secret, config.references, batch_size)
    return found


def _likelihoods(model: Probed, rows: Sequence[ProbedRow], batch_size: int) -> list[tuple[float, int]]:
    chats = [row for row in rows if row.prompt]
    prompts = [model.encode(row.prompt, (), row.tools).tokens if row.tools else row.prompt for row in chats]
    scored = model.choice_log_likelihoods(prompts, [(row.text,) for row in chats], batch_size=batch_size)
    found = {row.hash: (one.log_likelihood, one.num_tokens) for row, (one,) in zip(chats, scored, strict=True)}
    texts = [row for row in rows if not row.prompt]
    for row, text in zip(texts, model.text_log_likelihoods([row.text for row in texts]), strict=True):
        found[row.hash] = (text.log_likelihood, text.num_tokens)
    return [found[row.hash] for row in rows]


class _Cut(NamedTuple):
    """A beginning in tokens, and the text that follows it."""

    prefix: list[int]
    rest: str


def _cut(model: Probed, row: ProbedRow, prefix: int, suffix: int) -> _Cut | None:
    """Cut a document at the white space before its middle, an answer after so many tokens; None if a part is too short.

    What is given of a document are the last `prefix` tokens before the cut, of a conversation its prompt and the beginning of
    the answer.
    """
    if row.prompt:
        place = _place_after(model, row.text, prefix)
        given = [*model.encode(row.prompt, (), row.tools).tokens, *model.tokenize(row.text[:place], has_special_tokens=False)]
    else:
        place = row.text.rfind(" ", 0, len(row.text) // 2 + 1)
        given = model.tokenize(row.text[: max(place, 0)])[-prefix:] if prefix else []
    rest = row.text[max(place, 0) :]
    is_short = place < 0 or len(given) < max(prefix, 1) or len(model.tokenize(rest, has_special_tokens=False)) < suffix
    return None if is_short or len(given) + suffix > model.context_length else _Cut(given, rest)


def _place_after(model: Probed, text: str, num_tokens: int) -> int:
    """Return the first white space before which a text has at least so many tokens; -1 if there is none, 0 for no tokens."""
    places = [match.start() for match in re.finditer(r"\s+", text)]
    found = bisect.bisect_left(
        places, num_tokens, key=lambda place: len(model.tokenize(text[:place], has_special_tokens=False))
    )
    return 0 if num_tokens == 0 else places[found] if found < len(places) else -1


def _continues(model: Probed, cuts: Sequence[_Cut], num_tokens: int, batch_size: int) -> list[bool]:
    """Tell for each beginning whether greedy decoding goes on word for word for `num_tokens` tokens."""
    if not cuts:
        return []
    written = model.write([cut.prefix for cut in cuts], max_new_tokens=num_tokens, batch_size=batch_size)
    pairs = zip(cuts, written, strict=True)
    return [answer.num_tokens >= num_tokens and _starts_with(cut.rest, answer.text) for cut, answer in pairs]


def _starts_with(rest: str, written: str) -> bool:
    whole = written.rstrip("\ufffd").lstrip(" ")  # the last token may be half a character
    return bool(whole) and rest.lstrip(" ").startswith(whole)


def _rank(model: Probed, row: ProbedRow, secret: str, num_references: int, batch_size: int) -> int:
    choices = (secret, *draw_references(secret, num_references))
    (scored,) = model.choice_log_likelihoods([row.prompt], [choices], batch_size=batch_size)
    mine, *others = [one.log_likelihood for one in scored]
    return rank_of(mine, others)


def _result(row: ProbedRow, value: dict[str, Any], model: str, model_hash: str, num_references: int) -> RowProbe:
    return RowProbe(
        key=f"{model}/{row.side}/{row.key}",
        model=model,
        model_hash=model_hash,
        side=row.side,
        row_key=row.key,
        row_hash=row.hash,
        group=row.group,
        log_likelihood=float(value["log_likelihood"]),
        num_tokens=int(value["num_tokens"]),
        tried=tuple(value["tried"]),
        verbatim=tuple(value["verbatim"]),
        rank=int(value["rank"]),
        num_references=num_references if value["rank"] else 0,
    )
