"""The YAML at the head of a card, as the Hugging Face Hub reads it (`huggingface_hub.DatasetCardData`).

front_matter(card)["size_categories"] == ["1K<n<10K"]
front_matter(card)["configs"] == [{"config_name": "examples", "data_files": [{"split": "train", "path": "data/..."}]}]
"""

import re
from collections.abc import Iterable
from typing import Any

from curation.data_card.card import CardFile, DataCard
from curation.data_card.shapes import Column, columns_of
from curation.terms.expression import names_in, parse_license
from curation.terms.licenses import hub_name

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
_CALLS = [
    {"name": "id", "dtype": "string"},
    {"name": "type", "dtype": "string"},
    {"name": "function", "struct": [{"name": "name", "dtype": "string"}, {"name": "arguments", "dtype": "string"}]},
]


def front_matter(card: DataCard) -> dict[str, Any]:
    """Return the fields that are known, in the order in which they are written."""
    filled = {
        **_license(card),
        "language": sorted(code for code in card.languages if re.fullmatch(r"[a-z]{2,3}", code) and code != "und"),
        "pretty_name": _line(card.name),
        "size_categories": [_size(card.rows)] if card.rows else [],
        "task_categories": ["text-generation"],
        "tags": sorted({"tunewright", *(item.name for item in card.slices if item.dimension == "origin")}),
        **_tables(card.files),
    }
    return {name: value for name, value in filled.items() if value}


def _license(card: DataCard) -> dict[str, Any]:
    names = sorted({name for item in card.sources if item.license for name in names_in(parse_license(item.license))})
    known = [hub_name(name) for name in names]
    if not names:
        return {}
    if all(known):
        return {"license": known[0] if len(set(known)) == 1 else sorted(set(known))}
    return {"license": "other", "license_name": _line(", ".join(names))}


def _line(text: str) -> str:
    """Return a text as one printable line."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300]


def _size(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), "1B<n<10B")


def _tables(files: Iterable[CardFile]) -> dict[str, Any]:
    """Return `configs` and `dataset_info`: one configuration a kind of rows, read from the Parquet files."""
    kinds: dict[str, list[CardFile]] = {}
    for file in files:
        if file.format == "parquet":
            kinds.setdefault(file.kind, []).append(file)
    configs = [
        {"config_name": kind, "data_files": [{"split": file.split, "path": file.path} for file in found]}
        for kind, found in kinds.items()
    ]
    return {"configs": configs, "dataset_info": [_info(kind, found) for kind, found in kinds.items()]}


def _info(kind: str, files: list[CardFile]) -> dict[str, Any]:
    has_tools = any(file.has_tools for file in files)
    size = sum(file.num_bytes for file in files)
    return {
        "config_name": kind,
        "features": [_feature(column, has_tools) for column in columns_of(kind, has_tools=has_tools)],
        "splits": [{"name": file.split, "num_bytes": file.num_bytes, "num_examples": file.rows} for file in files],
        "download_size": size,
        "dataset_size": size,
    }


def _feature(column: Column, has_tools: bool) -> dict[str, Any]:
    if column.type != "messages":
        return {"name": column.name, "dtype": column.type}
    fields: list[dict[str, Any]] = [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}]
    if has_tools:
        fields.append({"name": "tool_calls", "list": _CALLS})
        fields += [{"name": "tool_call_id", "dtype": "string"}, {"name": "name", "dtype": "string"}]
    return {"name": column.name, "list": fields}
