"""Croissant 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html): the card as JSON-LD for machines.

    render_croissant(card)["conformsTo"] == "http://mlcommons.org/croissant/1.1"

`mlcroissant validate --jsonld croissant.json` accepts it, and `mlcroissant.Dataset(...).records("examples-train")` reads the
exported Parquet files beside it. Responsible-AI fields follow the RAI vocabulary 1.0.
"""

from collections.abc import Iterator
from typing import Any

from curation.data_card.card import CardFile, DataCard
from curation.data_card.shapes import Column, columns_of
from curation.terms.expression import names_in, parse_license
from curation.terms.licenses import find_license

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
MEDIA_TYPES = {"parquet": "application/x-parquet", "jsonl": "application/jsonlines"}
MAX_TEXT = 2000

_CALL_PATHS = (
    ("id", "tool_calls[*].id"),
    ("name", "tool_calls[*].function.name"),
    ("arguments", "tool_calls[*].function.arguments"),
)
"""mlcroissant reads the first match of a path, so a message's further calls stand in the file only."""

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def render_croissant(card: DataCard) -> dict[str, Any]:
    """Return the JSON-LD of a card with its files."""
    filled = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": _text(card.name),
        "description": _text(card.description) or f"Training data of the recipe {_text(card.name)}.",
        "conformsTo": list(CONFORMS_TO),
        "version": "1.0.0",
        "citeAs": f"{_text(card.name)}, data set version {card.version}" if card.version else "",
        "datePublished": card.created_at[:10],
        "creator": {"@type": "sc:Organization", "name": _text(card.owner)} if card.owner else "",
        "license": list(dict.fromkeys(url for source in card.sources for url in _license_urls(source.license))),
        "inLanguage": sorted(code for code in card.languages if code != "und"),
        "keywords": sorted({"tunewright", *(item.name for item in card.slices if item.dimension in ("task", "origin"))}),
        **_responsible(card),
        "distribution": [_file(file) for file in card.files],
        "recordSet": [_record_set(file) for file in card.files if file.format == "parquet"],
    }
    return {name: value for name, value in filled.items() if value}


def _license_urls(license: str) -> Iterator[str]:
    for name in sorted(set(names_in(parse_license(license)))) if license.strip() else ():
        listed = find_license(name)
        yield listed.url if listed and listed.url else _text(name)


def _file(file: CardFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "description": f"{file.rows} rows, {file.kind}, split {file.split}.",
        "contentUrl": file.path,
        "contentSize": f"{file.num_bytes} B",
        "encodingFormat": MEDIA_TYPES[file.format],
        "sha256": file.sha256,
    }


def _record_set(file: CardFile) -> dict[str, Any]:
    name = f"{file.kind}-{file.split}"
    columns = columns_of(file.kind, has_tools=file.has_tools)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Rows of the split {file.split}: {file.rows} {file.kind}.",
        "key": {"@id": f"{name}/key"},
        "field": [_field(name, column, file) for column in columns],
    }


def _field(parent: str, column: Column, file: CardFile) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{parent}/{column.name}",
        "name": column.name,
        "description": column.description,
    }
    if column.type != "messages":
        kind = "sc:Boolean" if column.type == "bool" else "sc:Text"
        return {**field, "dataType": kind, "source": _source(file, column.name)}
    names = ("role", "content", *(("tool_call_id", "name") if file.has_tools else ()))
    parts = [_part(field["@id"], name, name, column.name, file) for name in names]
    if file.has_tools:
        parts += [_part(field["@id"], f"first_tool_call_{name}", path, column.name, file) for name, path in _CALL_PATHS]
    return {**field, "isArray": True, "arrayShape": "-1", "subField": parts}


def _part(parent: str, name: str, path: str, column: str, file: CardFile) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{parent}/{name}",
        "name": name,
        "dataType": "sc:Text",
        "source": {**_source(file, column), "transform": {"jsonPath": path}},
    }


def _source(file: CardFile, column: str) -> dict[str, Any]:
    return {"fileObject": {"@id": file.path}, "extract": {"column": column}}


def _responsible(card: DataCard) -> dict[str, Any]:
    """Return the Responsible-AI properties that the card can fill."""
    stages = [f"{item.stage}: {item.kept} kept, {sum(item.rejected.values())} rejected." for item in card.stages]
    teachers = sorted({item.teacher for item in card.generation if item.teacher})
    methods = sorted({item.method for item in card.generation if item.method})
    private = [f"{item.entity}: {item.findings} findings, action {item.action}." for item in card.privacy]
    return {
        "rai:dataCollection": f"Sources: {', '.join(source.name for source in card.sources)}." if card.sources else "",
        "rai:dataCollectionType": methods,
        "rai:dataPreprocessingProtocol": stages,
        "rai:machineAnnotationTools": teachers,
        "rai:personalSensitiveInformation": private,
        "rai:dataLimitations": list(card.limits),
        "rai:dataUseCases": [f"Declared: {card.terms.use}."] if card.terms.use else [],
    }


def _text(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]
