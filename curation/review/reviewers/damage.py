"""Errors made on purpose: a right answer is damaged in one known way, to see whether reviewers notice.

    damage_answer("It takes 42 days.", context, seed="7:9f...")
    Damage(kind="number", answer="It takes 62 days.", detail="42 became 62")

The same answer, context and seed always give the same damage. What comes out differs from every answer that is known to be
right, also when case and white space are ignored.
"""

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

DamageKind = Literal["number", "entity", "clause", "label"]
DAMAGE_KINDS: tuple[DamageKind, ...] = ("number", "entity", "clause", "label")

MAX_LABEL_CHARS = 80
"""A one-line answer up to this length may be a label that stands for a class."""
MIN_LABEL_USES = 2
"""A text that only one answer consists of is no label."""

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_LIST_MARK = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_CODE = re.compile(r"\b[^\W\d]\w+(?:[._]\w{2,})+\b")
_NAME = re.compile(r"(?<=[\w,;] )[^\W\d_][\w'-]+")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\s|$)|[.!?](?=\S)[^.!?\n]*)*[.!?]*\s*")
_CLAUSE_END = re.compile(r"[,;] | (?:and|but|unless|except|only if|und|aber) ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """An answer that is wrong, and what was done to it."""

    kind: DamageKind
    answer: str
    detail: str
    """For leads: what stood there and what stands there now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a damage may draw on, so that it looks like any other answer."""

    texts: tuple[str, ...] = ()
    """Texts that hold names of the same field: the source, the prompt."""
    answers: tuple[str, ...] = ()
    """Answers of the same task."""
    right: frozenset[str] = frozenset()
    """Answers to the same prompt that are right as well."""


def damage_answer(answer: str, context: Context, *, seed: str, kinds: Sequence[DamageKind] = DAMAGE_KINDS) -> Damage | None:
    """Damage an answer in one of these ways; None if none of them fits it."""
    generator = random.Random(seed)  # noqa: S311 (a draw that has to be the same again)
    order = list(kinds)
    generator.shuffle(order)
    known = {comparable(text) for text in (answer, *context.right)}
    for kind in order:
        damage = _WAYS[kind](answer, context, generator)
        if damage is not None and comparable(damage.answer) and comparable(damage.answer) not in known:
            return damage
    return None


def comparable(text: str) -> str:
    """Return a text without what does not change its meaning: case, white space, forms of the same character."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _change_number(answer: str, _: Context, generator: random.Random) -> Damage | None:
    marks = [mark.span() for mark in _LIST_MARK.finditer(answer)]
    found = [number for number in _NUMBER.finditer(answer) if not any(a <= number.start() < b for a, b in marks)]
    if not found:
        return None
    number = generator.choice(found)
    old = number[0]
    place = generator.choice([at for at, character in enumerate(old) if character.isdecimal()])
    new = old[:place] + generator.choice([digit for digit in "123456789" if digit != old[place]]) + old[place + 1 :]
    changed = answer[: number.start()] + new + answer[number.end() :]
    return Damage(kind="number", answer=changed, detail=f"{old} became {new}")


def _swap_entity(answer: str, context: Context, generator: random.Random) -> Damage | None:
    if _as_object(answer) is not None:
        return None
    for find in (_code_names, _proper_names):
        own = sorted(find(answer))
        others = sorted({name for text in (*context.texts, *context.answers) for name in find(text)} - {*own})
        others = [name for name in others if name.casefold() not in answer.casefold()]
        if own and others:
            old, new = generator.choice(own), generator.choice(others)
            changed = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new.replace("\\", r"\\"), answer)
            return Damage(kind="entity", answer=changed, detail=f"{old} became {new}")
    return None


def _code_names(text: str) -> set[str]:
    return set(_CODE.findall(text))


def _proper_names(text: str) -> set[str]:
    return {name for name in _NAME.findall(text) if name[0].isupper()}


def _drop_clause(answer: str, _: Context, generator: random.Random) -> Damage | None:
    if _as_object(answer) is not None:
        return None
    sentences = [part.span() for part in _SENTENCE.finditer(answer) if len(part[0].split()) >= 3]
    if len(sentences) >= 2:
        start, end = generator.choice(sentences)
    else:
        ends = [part for part in _CLAUSE_END.finditer(answer) if len(answer[: part.start()].split()) >= 3]
        ends = [part for part in ends if len(answer[part.end() :].split()) >= 2]
        if not ends:
            return None
        start, end = generator.choice(ends).start(), len(answer.rstrip(" .!?\n"))
    gone = answer[start:end]
    return Damage(kind="clause", answer=(answer[:start] + answer[end:]).strip(), detail=f"dropped: {gone.strip(' ,;')}")


def _change_label(answer: str, context: Context, generator: random.Random) -> Damage | None:
    found = _as_object(answer)
    if found is not None:
        return _change_value(answer, found, context, generator)
    counts = Counter(text for text in context.answers if _is_label(text))
    labels = sorted(text for text, count in counts.items() if count >= MIN_LABEL_USES and text != answer)
    if not labels or not _is_label(answer):
        return None
    new = generator.choice(labels)
    return Damage(kind="label", answer=new, detail=f"{answer} became {new}")


def _change_value(answer: str, found: dict[str, Any], context: Context, generator: random.Random) -> Damage | None:
    """Give one field the value that it has in another answer; the rest of the text stays as it is written."""
    others = [other for text in context.answers if (other := _as_object(text)) is not None and other.keys() == found.keys()]
    choices = []
    for name, value in found.items():
        old = json.dumps(value, ensure_ascii=False)
        values = {json.dumps(other[name], ensure_ascii=False) for other in others} - {old}
        if values and answer.count(old) == 1:
            choices.append((name, old, sorted(values)))
    if not choices:
        return None
    name, old, values_of = generator.choice(choices)
    new = generator.choice(values_of)
    return Damage(kind="label", answer=answer.replace(old, new), detail=f"{name}: {old} became {new}")


def _is_label(text: str) -> bool:
    return 0 < len(text) <= MAX_LABEL_CHARS and "\n" not in text and len(text.split()) <= 6


def _as_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


_WAYS: dict[DamageKind, Callable[[str, Context, random.Random], Damage | None]] = {
    "number": _change_number,
    "entity": _swap_entity,
    "clause": _drop_clause,
    "label": _change_label,
}
