"""Rules that compare the tokens with the records that they were made of: prompts as served, answers as written.

find_text_faults(subject)      [Hit("prompt_not_as_served", rows=[3])]

The prompts are rendered and tokenised anew, as a server does it, and not by the code that made the rows.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from curation.records import Message
from training.preflight.findings import Hit
from training.preflight.flat import Flat, Mask, Numbers
from training.preflight.served import Served, serve_prompts
from training.preflight.subject import Subject

RULES = (
    "rows_unaccounted", "template_refuses", "prompt_not_as_served", "prompt_trained", "answer_masked", "turns_masked",
    "turn_dropped", "turns_reordered", "answer_changed", "special_token_in_text", "bos_missing", "reference_missing",
)  # fmt: skip
"""What is looked for here."""
_THOUGHT_END = "</think>"
_UNWRITTEN = re.compile(r"[\s\u2581\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
"""What tokenizers add, drop or change: white space, control characters, marks without width."""


def find_text_faults(subject: Subject) -> Iterator[Hit]:
    """Yield where rows are not what their records say."""
    if subject.records is None or subject.kind == "text":
        return
    records = subject.kept
    if records is None:
        given = f"{len(subject.records)} records, {len(subject.rejections)} rejections, {subject.num_rows} rows."
        yield Hit("rows_unaccounted", detail=given)
        return
    yield from _forged(subject, records)
    yield from _references(subject, records)
    served = serve_prompts(subject.tokenizer, records)
    if served.refused:
        yield Hit("template_refuses", sorted(served.refused), next(iter(served.refused.values())))
    yield from _turns(records, served)
    yield from _prompts(subject, served)
    if subject.kind != "prompts":
        yield from _answers(subject, records)


def _forged(subject: Subject, records: Sequence[Any]) -> Iterator[Hit]:
    decoder = getattr(subject.tokenizer, "added_tokens_decoder", {})
    names = {token.content for token in decoder.values() if token.special} | set(subject.tokenizer.all_special_tokens)
    wanted = [re.escape(name) for name in sorted(names, key=len, reverse=True) if name.strip()]
    if not wanted:
        return
    special = re.compile("|".join(wanted))
    found = {row: match for row, record in enumerate(records) if (match := special.search("\n".join(_texts(record))))}
    if found:
        yield Hit("special_token_in_text", list(found), f"The first is {next(iter(found.values())).group()!r}.")


def _texts(record: Any) -> list[str]:
    messages = record.messages if hasattr(record, "messages") else record.prompt
    answers = [getattr(record, name) for name in ("chosen", "rejected") if hasattr(record, name)]
    answers += [] if hasattr(record, "messages") else [getattr(record, "answer", "")]
    return [getattr(record, "tools", ""), *(message.text for message in messages), *answers]


def _references(subject: Subject, records: Sequence[Any]) -> Iterator[Hit]:
    missing = [row for row, record in enumerate(records) if not getattr(record, "reference", "-").strip()]
    if subject.kind == "prompts" and subject.needs_reference and missing:
        yield Hit("reference_missing", missing)


def _turns(records: Sequence[Any], served: Served) -> Iterator[Hit]:
    dropped, reordered = [], []
    for row, (record, text) in enumerate(zip(records, served.texts, strict=True)):
        if row in served.refused:
            continue
        wanted = [shown for message in record.prompt if (shown := _shown(message))]
        if _follow(text, wanted):
            continue
        plain, wanted = squeeze(text), [squeeze(content) for content in wanted]
        if not all(content in plain for content in wanted):
            dropped.append(row)
        elif not _follow(plain, wanted):
            reordered.append(row)
    if dropped:
        yield Hit("turn_dropped", dropped)
    if reordered:
        yield Hit("turns_reordered", reordered)


def _shown(message: Message) -> str:
    """Return what a template surely shows of a turn: no thoughts, no answers of tools, which it may write as JSON."""
    if message.role == "tool" or message.tool_calls:
        return ""
    content = message.content
    return (content.rpartition(_THOUGHT_END)[2] if message.role == "assistant" else content).strip()


def _follow(text: str, wanted: Sequence[str]) -> bool:
    place = 0
    for content in wanted:
        found = text.find(content, place)
        if found < 0:
            return False
        place = found + len(content)
    return True


def _prompts(subject: Subject, served: Served) -> Iterator[Hit]:
    flat = subject.flat
    prompts = Flat.of_columns({"input_ids": served.ids})
    is_known = ~np.isin(flat.row_of, list(served.refused))
    sizes = prompts.lengths[flat.row_of]
    matches = _starts_with(flat, prompts, sizes)
    differs = flat.rows(is_known & ~matches)
    if differs:
        yield Hit("prompt_not_as_served", differs)
    start = subject.tokenizer.bos_token_id
    if start is not None and subject.tokenizer.bos_token_id != subject.tokenizer.eos_token_id:
        is_first = np.array([ids[:1] == [start] for ids in served.ids], dtype=bool)[flat.row_of]
        lacks = is_known & is_first & (flat.count((flat.ids == start) & (flat.places == 0)) == 0)
        if lacks.any():
            yield Hit("bos_missing", flat.rows(lacks), f"It is {subject.tokenizer.bos_token!r}.")
    if subject.kind not in ("turns", "prompts"):
        yield from _mask(subject.flat, is_known & matches, sizes)


def _starts_with(flat: Flat, prompts: Flat, sizes: Numbers) -> Mask:
    """Tell which sequences begin with the prompts of their rows, token by token."""
    is_long_enough = sizes <= flat.lengths
    spans = np.where(is_long_enough, sizes, 0)
    steps = np.arange(int(spans.sum())) - np.repeat(np.cumsum(spans) - spans, spans)
    ours = flat.ids[np.repeat(flat.starts[:-1], spans) + steps]
    theirs = prompts.ids[np.repeat(prompts.starts[flat.row_of], spans) + steps]
    owner = np.repeat(np.arange(len(spans)), spans)
    wrong = np.bincount(owner, weights=ours != theirs, minlength=len(spans))
    return np.asarray(is_long_enough & (wrong == 0))


def _mask(flat: Flat, is_known: Mask, sizes: Numbers) -> Iterator[Hit]:
    in_prompt = flat.places < np.repeat(sizes, flat.lengths)
    leaks = flat.rows(is_known & (flat.count(flat.is_trained & in_prompt) > 0))
    if leaks:
        yield Hit("prompt_trained", leaks, "Tokens in front of the answer are learnt.")
    is_any = flat.count(flat.is_trained) > 0
    gaps = flat.rows(is_known & is_any & (flat.count(~flat.is_trained & ~in_prompt) > 0))
    if gaps:
        yield Hit("answer_masked", gaps)


def _answers(subject: Subject, records: Sequence[Any]) -> Iterator[Hit]:
    flat, tokenizer = subject.flat, subject.tokenizer
    size = len(tokenizer)
    unknown = tokenizer.unk_token_id
    parts = [flat.ids[slice(*span)][flat.is_trained[slice(*span)]] for span in _spans(flat)]
    readable = [part[(part >= 0) & (part < size)].tolist() for part in parts]
    texts = _decode_all(tokenizer, readable)
    num_turns = flat.count(flat.run_ends())
    changed, masked = [], []
    for number, (row, text) in enumerate(zip(flat.row_of.tolist(), texts, strict=True)):
        is_lossy = unknown is not None and unknown in readable[number]
        spoken = _spoken(subject.kind, records[row], is_second=number >= subject.num_rows)
        if readable[number] and not is_lossy and not _follow(text, spoken):
            plain = squeeze(text)
            if not _follow(plain, [squeeze(content) for content in spoken]):
                changed.append(row)
        if subject.kind == "turns" and num_turns[number] != sum(m.role == "assistant" for m in records[row].messages):
            masked.append(row)
    if changed:
        yield Hit("answer_changed", sorted(set(changed)))
    if masked:
        yield Hit("turns_masked", masked)


def _decode_all(tokenizer: Any, sequences: list[list[int]]) -> list[str]:
    """Decode many sequences at once, in Rust where there is one, without a look at every single number in Python."""
    quick = getattr(tokenizer, "backend_tokenizer", None)
    if quick is not None:
        return list(quick.decode_batch(sequences, skip_special_tokens=False))
    return list(tokenizer.batch_decode(sequences, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _spans(flat: Flat) -> Iterator[tuple[int, int]]:
    return zip(flat.starts[:-1].tolist(), flat.starts[1:].tolist(), strict=True)


def _spoken(kind: str, record: Any, *, is_second: bool) -> list[str]:
    """Return the texts that have to be among the learnt tokens, in this order."""
    if kind == "pairs":
        return [(record.rejected if is_second else record.chosen).rpartition(_THOUGHT_END)[2].strip()]
    if not hasattr(record, "messages"):
        return [record.answer.rpartition(_THOUGHT_END)[2].strip()]
    turns = [message for message in record.messages if message.role == "assistant"]
    wanted = turns if kind == "turns" else [record.messages[-1]]
    return [part for message in wanted for part in ([call.name for call in message.tool_calls] or [_shown(message)])]


def squeeze(text: str) -> str:
    """Return a text without what tokenizers may change: white space, invisible marks, case, compatibility forms."""
    plain = text.encode("utf-8", "replace").decode() if not text.isascii() else text
    return _UNWRITTEN.sub("", unicodedata.normalize("NFKC", plain).casefold())
