"""The items that models are probed with: the general suite, which is pinned by its hash, and files of the recipe.

    suite = load_suite(ForgettingConfig(files=("probe/support.jsonl",)))
    suite.items[0].key, suite.hash            ("general/arithmetic/001", "5b...")

A line of a file: {"key": "refund/1", "area": "support", "kind": "choice", "prompt": "Refunds take", "reference": " ten days",
"distractors": [" an hour"]}. Kinds are those of `SuiteItem`; `generate` needs `grader` and `grading`; `group` and `is_chat`
may be left out.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import SuiteError
from curation.graders.registry import GRADERS
from curation.ids import hash_bytes, merkle_root, stable_fraction
from curation.records import record_hash
from evaluation.forgetting.config import AREAS, ForgettingConfig
from evaluation.forgetting.records import SuiteItem

GENERAL = Path(__file__).parent / "suites" / "general.jsonl"
GENERAL_HASH = "55e7c2ca421f1b04c732f685d5ffcd6d"
"""Hash of the general suite: a model is only ever compared on the items that this code was written for."""
MAX_FILE_BYTES = 64 << 20
_FIELDS = {"key", "area", "kind", "prompt", "is_chat", "reference", "distractors", "grader", "grading", "group"}
_TEXTS = ("key", "area", "kind", "prompt", "reference", "grader", "grading", "group")


class Suite(NamedTuple):
    """Items sorted by key, and one hash over all of them."""

    items: tuple[SuiteItem, ...]
    hash: str

    @property
    def areas(self) -> tuple[str, ...]:
        """The areas that have items: the general ones in the order of reports, then the recipe's own by name."""
        found = {item.area for item in self.items}
        return (*(area for area in AREAS if area in found), *sorted(found - set(AREAS)))


def load_suite(config: ForgettingConfig) -> Suite:
    """Return the items that a recipe asks for, at most `max_items` an area.

    Raises:
        SuiteError: if a file cannot be read, a line is no item, two items share a key, or nothing is left.
    """
    items = list(_read(GENERAL, "general", pinned=GENERAL_HASH)) if config.suite == "general" else []
    for file in config.files:
        items += _read(Path(file), Path(file).stem, pinned="")
    keys: set[str] = set()
    for item in items:
        if item.key in keys:
            raise SuiteError(file=item.key.partition("/")[0], reason=f"two items have the key '{item.key}'")
        keys.add(item.key)
    known = {item.area for item in items}
    for area in (*config.areas, *config.margins):
        if area not in known:
            raise SuiteError(file="the suite", reason=f"no item is of the area '{area}' that the recipe names")
    wanted = [item for item in items if not config.areas or item.area in config.areas]
    return suite_of(item for area in {item.area for item in wanted} for item in _choose(wanted, area, config))


def suite_of(items: Iterable[SuiteItem]) -> Suite:
    """Return items as a suite."""
    ordered = tuple(sorted(items, key=lambda item: item.key))
    return Suite(ordered, merkle_root((record_hash(item) for item in ordered), salt="suite"))


def _choose(items: Iterable[SuiteItem], area: str, config: ForgettingConfig) -> list[SuiteItem]:
    mine = [item for item in items if item.area == area]
    return sorted(mine, key=lambda item: (stable_fraction(item.key, f"probe:{config.seed}"), item.key))[: config.max_items]


def _read(path: Path, name: str, *, pinned: str) -> list[SuiteItem]:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else b""
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(file=path, reason=str(error)) from error
    if pinned and hash_bytes(data) != pinned:
        raise SuiteError(file=path, reason=f"it was changed: its hash is {hash_bytes(data)} and not {pinned}")
    items = [_item(path, number, line, name) for number, line in enumerate(lines, 1) if line.strip()]
    if not items:
        raise SuiteError(file=path, reason=f"it holds no item, or more than {MAX_FILE_BYTES} bytes")
    return items


def _item(path: Path, number: int, line: str, name: str) -> SuiteItem:
    try:
        row = json.loads(line)
        problem = _problem(row)
    except (ValueError, RecursionError) as error:
        problem = f"no JSON ({error})"
    if problem:
        raise SuiteError(file=path, reason=f"line {number}: {problem}")
    texts = {field: row.get(field, "") for field in _TEXTS}
    key = f"{name}/{texts['key']}"
    group = f"{name}/{texts['group']}" if texts["group"] else key
    kept: dict[str, Any] = {**texts, "key": key, "group": group}
    return SuiteItem(**kept, is_chat=row.get("is_chat", False), distractors=tuple(row.get("distractors", ())))


def _problem(row: Any) -> str:
    if not isinstance(row, dict):
        return "no JSON object"
    unknown = sorted(set(row) - _FIELDS)
    if unknown:
        return f"unknown field '{unknown[0]}'"
    missing = [name for name in ("key", "area", "kind", "reference") if not row.get(name)]
    if missing:
        return f"'{missing[0]}' is missing"
    distractors = row.get("distractors", [])
    is_list = isinstance(distractors, list) and all(isinstance(text, str) and text.strip() for text in distractors)
    if (
        not is_list
        or not all(isinstance(row.get(name, ""), str) for name in _TEXTS)
        or row.get("is_chat", False) not in (True, False)
    ):
        return "fields are texts, `distractors` is a list of texts, `is_chat` true or false"
    return _kind_problem(row, distractors)


def _kind_problem(row: dict[str, Any], distractors: list[str]) -> str:
    kind, grader = row["kind"], row.get("grader", "")
    if kind not in ("choice", "generate", "text"):
        return f"the kind is '{kind}' and not choice, generate or text"
    if (kind == "choice") != bool(distractors) or row["reference"] in distractors:
        return "a choice has wrong answers in `distractors`, which differ from the reference; other kinds have none"
    if (kind == "generate") != bool(grader):
        return "`grader` belongs to the kind generate, and to it only"
    if grader and grader not in GRADERS:
        return f"there is no grader '{grader}'; there are {', '.join(GRADERS)}"
    return "" if kind != "generate" or row.get("prompt", "").strip() else "'prompt' is missing"
