"""Every number of the papers with the place that it comes from, and the check that it stands there.

    cite = Citations()
    cite("67.2 %", 0.672, name="candidate exact_match", folder="9f...", file="comparison.json", pointer="/summaries/2/...")
    check_citations(cite.as_plain(), store)      [] : every number was read or computed again, and none differed

A place is one of: a value in a JSON file of a stored folder, a value in a stored build of an asset, the rows of tables, or the
mean of a column over rows of a table. All of them are addressed by hash.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from curation.errors import TunewrightError
from curation.store import Store
from evaluation.records import EvalAnswer, Score

RECORDS: dict[str, type] = {"Score": Score, "EvalAnswer": EvalAnswer}
"""Records whose columns can be averaged."""
TOLERANCE = 1e-9


class Citations:
    """Collects what is cited while papers are written."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Any]] = {}

    def __call__(self, shown: str, value: float | str, *, name: str, **place: Any) -> str:
        """Return the text that is shown, having noted where its value comes from.

        Args:
            shown: the text of the paper.
            value: the number or text as it stands at the place, not rounded.
            name: what it is, one name a value.
            place: `folder`, `file`, `pointer`; or `build`, `pointer`; or `tables` (their rows are counted); or `table`,
                `record`, `where`, `mean` (and `weight`).
        """
        kept = None if isinstance(value, float) and not math.isfinite(value) else value
        known = self._found.setdefault(name, {"name": name, "value": kept, "place": place})
        assert known["value"] == kept, f"two values of '{name}'"
        return shown

    def as_plain(self) -> list[dict[str, Any]]:
        """Return name, value (null for what is not finite) and place of each, in the order in which they were cited."""
        return list(self._found.values())


def check_citations(cited: Iterable[Mapping[str, Any]], store: Store) -> list[str]:
    """Return what is wrong with cited numbers, one sentence each: a place that is gone, or another value there."""
    problems = []
    for item in cited:
        try:
            found = read_place(item["place"], store)
            is_same = _same(found, item["value"])
        except (TunewrightError, OSError, ValueError, LookupError, TypeError) as error:
            problems.append(f"{item['name']}: its place cannot be read ({type(error).__name__}: {error}).")
            continue
        if not is_same:
            problems.append(f"{item['name']}: {item['value']} is stated, and {found} stands there.")
    return problems


def _same(found: Any, stated: Any) -> bool:
    if stated is None:
        return isinstance(found, float) and not math.isfinite(found)
    if isinstance(found, float) or isinstance(stated, float):
        return math.isclose(float(found), float(stated), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(found == stated)


def read_place(place: Mapping[str, Any], store: Store) -> Any:
    """Return the value at a place.

    Raises:
        TunewrightError, OSError: if what it names is not in the store, or damaged.
        ValueError, LookupError: if there is no such value.
    """
    if "folder" in place:
        path = PurePosixPath(place["file"])
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"'{path}' leaves its folder")
        return _at(json.loads((store.get_folder(place["folder"]) / path).read_bytes()), place["pointer"])
    if "build" in place:
        return _at(json.loads(store.files.read_bytes(f"builds/{place['build']}.json")), place["pointer"])
    if "tables" in place:
        return sum(int(store.read_manifest(root)["num_rows"]) for root in place["tables"])
    return _mean(place, store)


def _mean(place: Mapping[str, Any], store: Store) -> float:
    rows = store.read_arrow(RECORDS[place["record"]], place["table"]).to_pylist()
    kept = [row for row in rows if all(row[name] == wanted for name, wanted in place["where"].items())]
    weights = [float(row[place["weight"]]) if "weight" in place else 1.0 for row in kept]
    if not sum(weights):
        raise ValueError("no row fits")
    return sum(float(row[place["mean"]]) * weight for row, weight in zip(kept, weights, strict=True)) / sum(weights)


def _at(value: Any, pointer: str) -> Any:
    """Follow a JSON pointer (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer of a path: `pointer("summaries", 2) == "/summaries/2"`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
