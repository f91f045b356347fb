"""Ways around the promotion gate, each tried on a home of its own: how many there are, and how many are refused.

python -m benchmarks.bypasses [--quick] [--only NAME]        the last line is JSON

Each way starts from a home in which a candidate was refused, waits, or was rolled back, and ends with the recipe's own asset
`champion`, run by Dagster. It is refused if the candidate is not live then: by the ledger, the file and the link.

    tried, refused    ways, and those that made nothing live
    control           1 if a candidate that earned it is promoted by the same assets: refusing everything is no gate
"""

import argparse
import contextlib
import io
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import bypass_evidence  # noqa: F401 - adds its ways
from benchmarks.bypass_home import ALL, NAME, STRONG, WAYS, Place
from benchmarks.bypass_ledger import approve_candidate
from curation.errors import TunewrightError
from evaluation.release.champion import champion_path
from evaluation.release.registry import open_release_ledger

QUICK = (
    "downstream_alone",
    "stale_pass",
    "missing_result",
    "edited_report",
    "approval_of_another",
    "swapped_artefact",
    "replaced_items",
    "lowered_threshold",
    "deleted_ledger_row",
    "forged_event",
    "unreadable_evidence",
    "changed_code",
)
"""One of each kind."""


def is_live(place: Place) -> bool:
    """Tell whether the candidate came to be live: for whoever reads the ledger (if it holds), the file, or the link."""
    ledger = open_release_ledger(place.home)
    try:
        ledger.verify()
        entry = ledger.champion(NAME)
        is_named = entry is not None and entry.model_hash == place.model()
    except TunewrightError:
        is_named = False  # who reads the ledger is told that it was tampered with
    finally:
        ledger.close()
    path = champion_path(NAME, place.home.path)
    pointed = json.loads(path.read_text())["model_hash"] if path.exists() else ""
    link = path.with_suffix("")
    linked = link.resolve().name if link.is_symlink() else ""
    return is_named or place.model() in (pointed, linked)


def try_way(name: str) -> tuple[bool, str]:
    """Try one way in a folder of its own, and tell whether it was refused, and what for."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        place = WAYS[name](Path(folder) / "home")
        reason = find_reason(place)
        return not is_live(place), reason


def find_reason(place: Place) -> str:
    """Materialize `champion` once more, and return why nothing was promoted: what stopped it, or the ledger's last entry."""
    failure = place.materialize("champion")
    if failure:
        return failure
    ledger = open_release_ledger(place.home)
    try:
        return ledger.history(NAME)[-1].reason
    finally:
        ledger.close()


def promotes_what_earned_it() -> bool:
    """Tell whether a good candidate is promoted, and one that a person approved."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        plain = Place.make(Path(folder) / "plain", share=STRONG)
        plain.materialize(*ALL)
        asking = Place.make(Path(folder) / "asking", share=STRONG, approval="required")
        asking.materialize("scores", "comparison")
        approve_candidate(asking)
        asking.materialize("champion")
        return is_live(plain) and is_live(asking)


@contextlib.contextmanager
def quiet() -> Any:
    """Keep Dagster's account of runs that fail on purpose off the screen."""
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Try and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{len(QUICK)} ways, one of each kind")
    parser.add_argument("--only", choices=sorted(WAYS), help="one way")
    arguments = parser.parse_args()
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    results = {}
    for name in [arguments.only] if arguments.only else QUICK if arguments.quick else WAYS:
        results[name], reason = try_way(name)
        meant = " ".join((WAYS[name].__doc__ or "").split())
        print(f"{'refused ' if results[name] else 'PROMOTED'}  {name}: {meant}\n          {reason}", flush=True)
    print(json.dumps({"tried": len(results), "refused": sum(results.values()), "control": int(promotes_what_earned_it())}))


if __name__ == "__main__":
    main()
