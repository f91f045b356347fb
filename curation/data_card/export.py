"""Hand a data set on: rows as JSONL and Parquet, with the card as Markdown, Croissant and a page.

    export_dataset(rows, Path("out/sdk_assistant"), card, terms=config, licenses={"api": "MIT"})

    README.md  croissant.json  index.html
    data/examples-train.parquet      with the origin of every row          jsonl/examples-train.jsonl    for trainers

The folder appears at once and whole; an earlier one is replaced. Terms are judged again, for handing rows on.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from curation.data_card.card import CardFile, DataCard
from curation.data_card.croissant import render_croissant
from curation.data_card.describe import split_name, with_rows, with_sources, with_terms
from curation.data_card.markdown import render_markdown
from curation.data_card.page import render_html
from curation.data_card.shapes import KINDS, Row, line_of, table_of, uses_tools
from curation.errors import DatasetExportError, TermsRefusedError
from curation.files import replace_folder, write_atomically
from curation.ids import merkle_root
from curation.records import record_hash
from curation.terms.config import TermsConfig
from curation.terms.judge import judge_terms
from curation.terms.report import assess_terms


class ExportedDataset(NamedTuple):
    """What was written."""

    folder: Path
    card: DataCard
    """The card with files, counts and terms of the exported rows."""


def export_dataset(
    rows: Sequence[Row],
    folder: Path,
    card: DataCard,
    *,
    terms: TermsConfig,
    licenses: Mapping[str, str],
    ancestors: Iterable[Any] = (),
    documents: Mapping[str, str] | None = None,
) -> ExportedDataset:
    """Write a data set to `folder`, replacing an earlier export as a whole.

    Args:
        rows: examples, preference pairs and unpaired preferences, in the order in which they are written.
        folder: where to; its parent is made if it is not there.
        card: what is known; counts, sources and version are taken from the rows unless the card has them already.
        terms: the declared use; the rows are judged as if `redistribute_data` were set and `action` were `block`.
        licenses: licence by source name.
        ancestors: parents that are not among the rows.
        documents: licence by document key, where documents of one source differ.

    Raises:
        TermsRefusedError: if any row may not be handed on; it names the first of them.
        DatasetExportError: if a row cannot be written, there are none, or the folder cannot be written.
    """
    if not rows:
        raise DatasetExportError(name=card.name, reason="it has no rows")
    config = replace(terms, redistribute_data=True, action="block")
    judged = judge_terms(rows, config, licenses, ancestors=ancestors, documents=documents)
    assessment = assess_terms(judged.report, config)
    if not assessment.passed:
        raise TermsRefusedError(name=card.name, detail=assessment.detail)
    filled = with_terms(_fill(card, judged.rows, config, licenses), judged.report, assessment)
    return ExportedDataset(folder, _write(judged.rows, folder, filled))


def write_card(
    rows: Sequence[Row],
    folder: Path,
    card: DataCard,
    *,
    terms: TermsConfig,
    licenses: Mapping[str, str],
    ancestors: Iterable[Any] = (),
) -> ExportedDataset:
    """Write the card with its rows beside it where the terms allow that, else the card alone, which then says why.

    Raises:
        DatasetExportError: if a row cannot be written, there are none, or the folder cannot be written.
    """
    try:
        return export_dataset(rows, folder, card, terms=terms, licenses=licenses, ancestors=ancestors)
    except TermsRefusedError as refusal:
        filled = _fill(card, rows, terms, licenses)
        reason = f"The rows are not beside this card, since they may not be handed on. {refusal.fields['detail']}"
        return ExportedDataset(folder, _write((), folder, replace(filled, limits=(*filled.limits, reason))))


def _fill(card: DataCard, rows: Sequence[Row], config: TermsConfig, licenses: Mapping[str, str]) -> DataCard:
    """Return the card with what it does not say yet and the rows can tell."""
    known = card if card.rows == len(rows) else with_rows(card, rows)
    if not known.sources:
        known = with_sources(known, rows, licenses, config)
    return known if known.version else replace(known, version=merkle_root(record_hash(row) for row in rows))


def _write(rows: Sequence[Row], folder: Path, card: DataCard) -> DataCard:
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    try:
        part.mkdir(parents=True)
        complete = replace(card, files=tuple(_write_rows(rows, part, card.name)))
        croissant = json.dumps(render_croissant(complete), indent=2, ensure_ascii=True)
        texts = {"README.md": render_markdown(complete), "croissant.json": croissant, "index.html": render_html(complete)}
        for name, text in texts.items():
            write_atomically(part / name, text.encode())
        replace_folder(part, folder)
    except OSError as error:
        raise DatasetExportError(name=card.name, reason=f"{error.strerror or error} ({error.filename or folder})") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return complete


def _write_rows(rows: Sequence[Row], part: Path, name: str) -> list[CardFile]:
    by_file: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_file[KINDS[type(row)], split_name(row)].append(row)
    kinds = {kind for kind, _ in by_file}
    has_tools = {kind: any(uses_tools(found) for (other, _), found in by_file.items() if other == kind) for kind in kinds}
    files: list[CardFile] = []
    for (kind, split), found in sorted(by_file.items(), key=lambda item: (item[0][0], item[0][1] != "train", item[0][1])):
        about = {"kind": kind, "split": split, "rows": len(found), "has_tools": has_tools[kind]}
        paths = {"parquet": f"data/{kind}-{split}.parquet", "jsonl": f"jsonl/{kind}-{split}.jsonl"}
        _write_parquet(found, part / paths["parquet"], kind, has_tools[kind], name)
        _write_lines(found, part / paths["jsonl"], name)
        files += [_describe(part, path, format, about) for format, path in paths.items()]
    return files


def _write_parquet(rows: Sequence[Row], path: Path, kind: str, has_tools: bool, name: str) -> None:
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    chunk = 20_000
    writer = None
    try:
        for start in range(0, len(rows), chunk):
            try:
                table = table_of(rows[start : start + chunk], kind, has_tools=has_tools)
            except UnicodeEncodeError as error:
                raise DatasetExportError(name=name, reason=_unwritable(rows[start : start + chunk])) from error
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _unwritable(rows: Sequence[Row]) -> str:
    for row in rows:
        try:
            json.dumps(line_of(row), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return f"row {row.key!a} holds half of a surrogate pair, which no file format keeps; reject or mend it"
    return "a key or an origin holds half of a surrogate pair, which no file format keeps"


def _write_lines(rows: Sequence[Row], path: Path, name: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for row in rows:
            try:
                file.write(json.dumps(line_of(row), ensure_ascii=False, allow_nan=False).encode() + b"\n")
            except (ValueError, RecursionError) as error:
                raise DatasetExportError(name=name, reason=f"row {row.key!a} cannot be written as JSON ({error})") from error


def _describe(part: Path, path: str, format: str, about: Mapping[str, Any]) -> CardFile:
    with (part / path).open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return CardFile(path=path, format=format, num_bytes=(part / path).stat().st_size, sha256=digest, **about)
