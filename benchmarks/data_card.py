"""Terms and the data card: verdicts a second, export, what the Croissant validator says, and how fast a withdrawal is.

python -m benchmarks.data_card [--quick]        the last line is JSON

Rows are generated. `mlcroissant validate` runs as its own process on the exported card; then mlcroissant reads every row of
one record set back through the card.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.data_card.card import DataCard
from curation.data_card.export import export_dataset
from curation.records import Example, Message, Provenance, SourceSpan
from curation.tables import to_arrow
from curation.terms.config import TermsConfig
from curation.terms.descendants import find_descendants, find_in_table
from curation.terms.judge import judge_terms

LICENSES = {"api": "MIT", "guides": "Apache-2.0 OR MIT", "wiki": "CC-BY-SA-4.0"}
DOCUMENTS_PER_SOURCE = 20_000


def make_row(number: int) -> Example:
    """Return one row of a data set in which every third row has a parent."""
    source = ("api", "guides", "wiki")[number % 3]
    document = f"{source}/d{number % DOCUMENTS_PER_SOURCE}"
    before = number - 3 * (number % 7 + 1)
    parents = (f"{source}/d{before % DOCUMENTS_PER_SOURCE}#{before}",) if number % 9 < 3 and before > 0 else ()
    provenance = Provenance(
        origin="synthetic",
        method="routing",
        spans=(SourceSpan(document_key=document, document_hash="0" * 32, start=0, end=80),),
        parents=parents,
        teacher="extractive",
        license=LICENSES[source],
        generation_depth=1,
    )
    messages = (
        Message(role="user", content=f"What do I call to make thing number {number} do what it should do?"),
        Message(role="assistant", content=f'{{"part":"{source}"}}'),
    )
    return Example(
        key=f"{document}#{number}",
        task="routing",
        messages=messages,
        group=document,
        split="eval" if number % 11 == 0 else "train",
        provenance=provenance,
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long a call takes, and what it returns."""
    started = time.perf_counter()
    value = work()
    return time.perf_counter() - started, value


def validate(folder: Path) -> bool:
    """Run the validator of the Croissant standard on an export."""
    command = [str(Path(sys.executable).with_name("mlcroissant")), "validate", "--jsonld", str(folder / "croissant.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print("\n".join(f"  {line}" for line in done.stderr.strip().splitlines()))
    return done.returncode == 0


def load(folder: Path, name: str) -> int:
    """Read a record set through the card with mlcroissant, and return the number of its rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        return sum(1 for _ in mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records(name))


def measure_card(rows: list[Example], folder: Path) -> dict[str, Any]:
    """Judge, export, validate and read back."""
    config = TermsConfig(use="commercial", redistribute_model=True)
    judge_s, judged = timed(lambda: judge_terms(rows, config, LICENSES))
    export_s, exported = timed(lambda: export_dataset(rows, folder, DataCard(name="bench"), terms=config, licenses=LICENSES))
    is_valid = validate(folder)
    num_train = next(file.rows for file in exported.card.files if file.path == "data/examples-train.parquet")
    load_s, num_loaded = timed(lambda: load(folder, "examples-train"))
    return {
        "rows": len(rows),
        "judged_per_s": round(len(rows) / judge_s),
        "allowed": judged.report.verdicts.get("allowed", 0),
        "exported_per_s": round(len(rows) / export_s),
        "croissant_valid": is_valid,
        "records_loaded": num_loaded,
        "records_expected": num_train,
        "loaded_per_s": round(num_loaded / load_s),
    }


def measure_withdrawal(num_rows: int) -> dict[str, Any]:
    """Find everything made from one document among many rows: among records, and in an Arrow table."""
    rows = [make_row(number) for number in range(num_rows)]
    records_s, found = timed(lambda: find_descendants(rows, "api/d21"))
    parts = [to_arrow(Example, rows[start : start + 100_000]) for start in range(0, num_rows, 100_000)]
    rows.clear()
    table = pa.concat_tables(parts)
    table_s, in_table = timed(lambda: find_in_table(table, "api/d21"))
    assert in_table == found
    return {
        "withdraw_rows": num_rows,
        "withdraw_found": len(found),
        "withdraw_records_s": round(records_s, 2),
        "withdraw_table_s": round(table_s, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        result = measure_card([make_row(number) for number in range(5_000 if quick else 100_000)], Path(folder) / "out")
    result |= measure_withdrawal(100_000 if quick else 1_000_000)
    result["rss_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    for name, value in result.items():
        print(f"{name:20} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
