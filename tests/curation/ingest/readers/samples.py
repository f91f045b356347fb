"""One good file of each format, made on the spot: a few rows or sections each."""

import gzip
import io
import json
import sqlite3
import zipfile
from pathlib import Path

import docx
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

ROWS = [
    {"id": f"q{number}", "question": f"What is {number}?", "answer": f"It is \u2018{number}\u2019."} for number in range(20)
]
HTML = "<html><head><title>T</title></head><body><nav>x</nav><main><h1>Guide</h1><p>Run <b>it</b>.</p></main></body></html>"
RST = "Guide\n=====\n\nRun it.\n\n.. note:: Take care.\n\nNext\n----\n\n* one\n* two\n"


def json_lines() -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def delimited(delimiter: str) -> bytes:
    lines = [delimiter.join(ROWS[0]), *(delimiter.join(f'"{value}"' for value in row.values()) for row in ROWS)]
    return "\r\n".join(lines).encode()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), file)
    return file.getvalue()


def arrow(*, as_stream: bool = False) -> bytes:
    table, file = pa.Table.from_pylist(ROWS), io.BytesIO()
    with (pa.ipc.new_stream if as_stream else pa.ipc.new_file)(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return file.getvalue()


def xml() -> bytes:
    items = "".join(f'<item n="{row["id"]}"><question>{row["question"]}</question><answer>a</answer></item>' for row in ROWS)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<faq lang="en">{items}</faq>'.encode()


def pdf(*pages: str) -> bytes:
    """Write a PDF by hand: one line of Helvetica a page."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R /Resources {font} >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF"
    )
    return data + trailer.encode()


def word() -> bytes:
    document, file = docx.Document(), io.BytesIO()
    document.add_heading("Policy", 0)
    document.add_paragraph("Returns are free.")
    document.add_heading("Terms", 1)
    table = document.add_table(2, 2)
    for number, text in enumerate(("item", "days", "book", "30")):
        table.cell(number // 2, number % 2).text = text
    document.save(file)
    return file.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE faq (id TEXT, question TEXT, answer TEXT, written TEXT)")
        rows = [(*row.values(), f"2026-01-{number + 1:02d}") for number, row in enumerate(ROWS)]
        connection.executemany("INSERT INTO faq VALUES (?, ?, ?, ?)", rows)
    connection.close()


ROW_FILES: dict[str, bytes] = {
    "a.jsonl": json_lines(),
    "a.json": json.dumps(ROWS).encode(),
    "lines.json": json_lines(),
    "object.json": json.dumps({"version": 1, "data": ROWS}, indent=1).encode(),
    "a.csv": delimited(","),
    "semicolon.csv": delimited(";"),
    "a.tsv": delimited("\t"),
    "a.parquet": parquet(),
    "a.arrow": arrow(),
    "a.feather": arrow(),
    "a.arrows": arrow(as_stream=True),
    "a.xml": xml(),
    "a.jsonl.gz": gzip.compress(json_lines()),
    "a.csv.zst": zstandard.ZstdCompressor().compress(delimited(",")),
    "a.parquet.gz": gzip.compress(parquet()),
    "a.zip": zipped({"in/a.jsonl": json_lines()}),
    "nested.zip": zipped({"a.jsonl.gz": gzip.compress(json_lines())}),
    "utf16.csv": delimited(",").decode().encode("utf-16"),
    "utf32.jsonl": json_lines().decode().encode("utf-32"),
}
"""Each holds ROWS."""
PROSE_FILES: dict[str, bytes] = {
    "a.html": HTML.encode(),
    "a.md": b"# Guide\n\nRun it.\n\n## Next\n\nGo on.\n",
    "a.rst": RST.encode(),
    "a.txt": "Plain \u2018text\u2019.".encode(),
    "a.pdf": pdf("First page", "Second page"),
    "a.docx": word(),
}
