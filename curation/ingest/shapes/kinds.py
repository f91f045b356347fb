"""Types of cells by which shapes are told apart.

KINDS["sharegpt"]([{"from": "human", "value": "Hi"}], ShapeConfig())     True
KINDS["openai"]([{"from": "human", "value": "Hi"}], ShapeConfig())       False
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from curation.ingest.shapes.cells import cell_text, cell_texts, load_json, read_flag
from curation.ingest.shapes.config import ShapeConfig

Kind = Literal[
    "text", "texts", "openai", "sharegpt", "dialogue", "pairs", "prompt", "answer", "calls", "tools", "flag", "options"
]


def _is_text(value: Any, config: ShapeConfig) -> bool:
    """A text or number, and no JSON text of a conversation."""
    return cell_text(value) is not None and not _is_openai(value, config) and not _is_sharegpt(value, config)


def _is_texts(value: Any, _: ShapeConfig) -> bool:
    return bool(cell_texts(value))


def _has_keys(value: Any, speakers: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    """Tell whether the first item of a list is an object with a speaker and a text; an empty list may be anything."""
    items = load_json(value)
    if not isinstance(items, list) or not items:
        return False
    first = items[0]
    return isinstance(first, dict) and any(key in first for key in speakers) and any(key in first for key in texts)


def _is_openai(value: Any, _: ShapeConfig) -> bool:
    return _has_keys(value, ("role",), ("content", "tool_calls", "function_call"))


def _is_sharegpt(value: Any, _: ShapeConfig) -> bool:
    return _has_keys(value, ("from",), ("value",))


def _is_dialogue(value: Any, _: ShapeConfig) -> bool:
    if _has_keys(value, ("speaker", "user_type"), ("utterance", "text", "content")):
        return True
    items = load_json(value)
    return isinstance(items, list) and bool(items) and all(_is_pair(item) for item in items)


def _is_pair(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(part, str) for part in item)


def _is_pairs(value: Any, _: ShapeConfig) -> bool:
    items = load_json(value)
    return isinstance(items, list) and all(_is_pair(item) for item in items)


def _is_prompt(value: Any, config: ShapeConfig) -> bool:
    """A text, a conversation, or a list that holds one conversation."""
    items = load_json(value)
    inner = items[0] if isinstance(items, list) and len(items) == 1 and isinstance(items[0], list) else value
    return _is_text(value, config) or _is_openai(inner, config) or _is_sharegpt(inner, config)


def _is_answer(value: Any, config: ShapeConfig) -> bool:
    """A text, one turn, a conversation, or texts of which the first counts."""
    is_turn = isinstance(value, dict) and ("content" in value or "value" in value or "text" in value)
    return is_turn or _is_prompt(value, config) or _is_texts(value, config)


def _is_calls(value: Any, _: ShapeConfig) -> bool:
    items = load_json(value)
    return isinstance(items, dict) or (isinstance(items, list) and all(isinstance(load_json(item), dict) for item in items))


def _is_flag(value: Any, config: ShapeConfig) -> bool:
    return read_flag(value, config.desirable_values) is not None


def _is_options(value: Any, _: ShapeConfig) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("text"), list)
    items = load_json(value)
    return isinstance(items, list) and len(items) > 1 and all(cell_text(item) is not None for item in items)


KINDS: Mapping[Kind, Callable[[Any, ShapeConfig], bool]] = {
    "text": _is_text,
    "texts": _is_texts,
    "openai": _is_openai,
    "sharegpt": _is_sharegpt,
    "dialogue": _is_dialogue,
    "pairs": _is_pairs,
    "prompt": _is_prompt,
    "answer": _is_answer,
    "calls": _is_calls,
    "tools": _is_calls,
    "flag": _is_flag,
    "options": _is_options,
}
