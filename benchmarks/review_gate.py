"""Try to get rows past the review gate that nobody accepted, and see how long it takes to verify many.

    python -m benchmarks.review_gate [--quick] [--rows 100000] [--forgeries 200]       last line: JSON

A queue in which people decided every row is copied for each attempt, and one thing is done to it, to the rows or to the
configuration: see FORGERIES. The gate has to refuse each, and to name the row (or the entry of the audit trail) at fault.

    forgeries, refused, named     attempts, how many were refused, and how many of those named what was forged
    verify_100k_s                 seconds to verify 100,000 rows with 100,000 verdicts
"""

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.database import Database
from curation.errors import ReviewGateError, TunewrightError
from curation.ids import content_hash
from curation.records import Example, Message, Provenance
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.gate import verify_gate
from curation.review.items import build_items, item_key
from curation.review.queue import ReviewQueue
from curation.review.queue.vote import Vote

CONFIG = ReviewConfig()
RECIPE = "benchmark"
SMALL = 60


def make_rows(num: int) -> list[Example]:
    """Return rows that a teacher could have written."""
    return [
        Example(
            key=f"api/function_{number}#qa/0",
            task="qa",
            group=f"g{number}",
            split="train",
            messages=(
                Message(role="user", content=f"What does function {number} return?"),
                Message(role="assistant", content=f"It returns value {number * 7}."),
            ),
            provenance=Provenance(origin="synthetic", method="grounded_qa", teacher="m", generation_depth=1),
        )
        for number in range(num)
    ]


@dataclass
class Case:
    """One attempt: a copy of the database, what is trained on, and what the gate is told."""

    path: Path
    curated: list[Example]
    dataset: list[Example]
    config: ReviewConfig
    rng: random.Random
    at_fault: str = ""
    """What the message has to name."""

    def execute(self, text: str, *values: Any) -> None:
        """Change the database behind the queue's back."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute(text, values)
            connection.commit()

    def pick(self) -> int:
        """Return the number of a row."""
        return self.rng.randrange(len(self.curated))


def _rewrite(row: Example, answer: str) -> Example:
    return replace(row, messages=(row.messages[0], Message(role="assistant", content=answer)))


# -- on the rows ---------------------------------------------------------------------------------------------------------


def edited_row(case: Case) -> None:
    """A row of the data set file says something else."""
    number = case.pick()
    case.dataset[number] = _rewrite(case.dataset[number], "It deletes everything.")
    case.at_fault = case.dataset[number].key


def swapped_rows(case: Case) -> None:
    """Two rows have each other's answers."""
    one, two = sorted(case.rng.sample(range(len(case.dataset)), 2))
    first, second = case.dataset[one], case.dataset[two]
    case.dataset[one], case.dataset[two] = _rewrite(first, second.answer), _rewrite(second, first.answer)
    case.at_fault = first.key


def added_row(case: Case) -> None:
    """A row that was never curated is in the data set."""
    stranger = replace(case.dataset[0], key="api/stranger#qa/0")
    case.dataset.insert(case.pick(), stranger)
    case.at_fault = stranger.key


def renamed_row(case: Case) -> None:
    """A row goes by the name of another one."""
    number = case.pick()
    case.dataset[number] = replace(case.dataset[number], key=case.dataset[number - 1].key)
    case.at_fault = case.dataset[number].key


def changed_after_approval(case: Case) -> None:
    """The curated row changed after it was approved, and the data set with it."""
    number = case.pick()
    changed = _rewrite(case.curated[number], "It returns something new.")
    case.curated[number] = case.dataset[number] = changed
    case.at_fault = changed.key


def changed_rubric(case: Case) -> None:
    """The reviewers were told something else than the recipe says now."""
    case.config = replace(case.config, rubric="Approve only what rhymes.")
    case.at_fault = "await a verdict"


def more_reviewers(case: Case) -> None:
    """The recipe asks for two reviewers now, and every row has one."""
    case.config = replace(case.config, overlap=2)
    case.at_fault = "await a verdict"


# -- on the audit trail --------------------------------------------------------------------------------------------------


def _column(name: str, value: str) -> Callable[[Case], None]:
    def forge(case: Case) -> None:
        sequence = case.pick() + 1
        case.execute(f"UPDATE review_verdicts SET {name} = ? WHERE sequence = ?", value, sequence)
        case.at_fault = f"verdict {sequence}"

    forge.__doc__ = f"`{name}` of a verdict was changed."
    forge.__name__ = f"edited_{name}"
    return forge


def deleted_verdict(case: Case) -> None:
    """A verdict in the middle is gone."""
    sequence = case.rng.randrange(1, len(case.curated))
    case.execute("DELETE FROM review_verdicts WHERE sequence = ?", sequence)
    case.at_fault = f"verdict {sequence + 1}"


def truncated_trail(case: Case) -> None:
    """The newest verdicts are gone."""
    sequence = case.rng.randrange(2, len(case.curated))
    case.execute("DELETE FROM review_verdicts WHERE sequence >= ?", sequence)
    case.at_fault = f"verdict {sequence}"


def replayed_verdict(case: Case) -> None:
    """The verdict on one item is given out as one on another."""
    one, two = case.rng.sample(range(1, len(case.curated) + 1), 2)
    take = "(SELECT item_key FROM review_verdicts WHERE sequence = ?)"
    case.execute(f"UPDATE review_verdicts SET item_key = {take} WHERE sequence = ?", one, two)
    case.at_fault = f"verdict {two}"


def appended_verdict(case: Case) -> None:
    """A verdict was appended by hand, without its place in the chain."""
    last = len(case.curated)
    columns = "recipe, item_key, decision, reviewer, reviewer_kind, reason, edited_answer, created_at, role, supersedes"
    columns += ", details"
    case.execute(
        f"INSERT INTO review_verdicts ({columns}, sequence, previous_hash, hash)"
        f" SELECT {columns}, {last + 1}, hash, hash FROM review_verdicts WHERE sequence = {last}"
    )
    case.at_fault = f"verdict {last + 1}"


def rewritten_chain(case: Case) -> None:
    """The whole trail was written anew with sound hashes, but for the head that the queue holds."""
    from curation.review.queue.chain import hash_row

    with contextlib.closing(sqlite3.connect(case.path)) as connection:
        connection.row_factory = sqlite3.Row
        previous = ""
        for row in [dict(row) for row in connection.execute("SELECT * FROM review_verdicts ORDER BY sequence")]:
            row |= {"reviewer": "Mallory", "previous_hash": previous}
            previous = hash_row(row)
            values = (row["reviewer"], row["previous_hash"], previous, row["sequence"])
            connection.execute("UPDATE review_verdicts SET reviewer=?, previous_hash=?, hash=? WHERE sequence=?", values)
        connection.commit()
    case.at_fault = f"verdict {len(case.curated) + 1}"


def moved_head(case: Case) -> None:
    """The queue's own record of the head was changed."""
    case.execute("UPDATE review_queues SET head = ?", content_hash("elsewhere"))
    case.at_fault = f"verdict {len(case.curated) + 1}"


# -- on what is decided --------------------------------------------------------------------------------------------------


def _decide_anew(decision: str, **values: str) -> Callable[[Case], None]:
    def forge(case: Case) -> None:
        number = case.pick()
        with opened(case.path) as queue:
            queue.submit(item_key(case.curated[number], CONFIG), decision, "Ada", **values)  # type: ignore[arg-type]
        case.at_fault = case.curated[number].key

    forge.__doc__ = f"A person said `{decision}` since, and the data set still has the row."
    forge.__name__ = f"since_{decision}"
    return forge


def undone_verdict(case: Case) -> None:
    """A verdict was undone, and a forged event in Dagster's log says that the check has passed."""
    number = case.pick()
    with opened(case.path) as queue:
        (verdict,) = queue.history(item_key(case.curated[number], CONFIG))
        queue.undo(verdict, "Ada", "a slip")
    _forge_event()
    case.at_fault = case.curated[number].key


def _forge_event() -> None:
    import dagster as dg

    with dg.DagsterInstance.ephemeral() as instance:
        event = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey([RECIPE, "verified_examples"]), check_name="review_complete", passed=True
        )
        instance.report_runless_asset_event(event)


def automatic_only(case: Case) -> None:
    """The state that pages show says `decided`, and no person has said so."""
    case.execute("DELETE FROM review_verdicts")
    case.execute("UPDATE review_queues SET num_verdicts = 0, head = ''")
    case.execute("UPDATE review_items SET state = 'decided', human_sequence = 1, human_decision = 'approve'")
    case.at_fault = "await a verdict"


def database_gone(case: Case) -> None:
    """There is no database any more."""
    case.path.unlink()
    case.at_fault = "await a verdict"


def database_torn(case: Case) -> None:
    """The file of the database was overwritten in the middle."""
    size = case.path.stat().st_size
    with case.path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\x00\xff" * (size // 4))
    case.at_fault = "cannot be relied on"


def other_queue(case: Case) -> None:
    """The verdicts are those of another recipe."""
    case.execute("UPDATE review_verdicts SET recipe = 'other'")
    case.execute("UPDATE review_queues SET recipe = 'other'")
    case.at_fault = "await a verdict"


FORGERIES: tuple[Callable[[Case], None], ...] = (
    edited_row,
    swapped_rows,
    added_row,
    renamed_row,
    changed_after_approval,
    changed_rubric,
    more_reviewers,
    *(
        _column(name, value)
        for name, value in (
            ("decision", "edit"),
            ("reviewer", "Mallory"),
            ("reviewer_kind", "automatic"),
            ("reason", "because"),
            ("edited_answer", "other"),
            ("created_at", "2020-01-01T00:00:00+00:00"),
            ("token", "forged"),
            ("role", "adjudication"),
            ("details", '{"strength":3}'),
            ("hash", "00" * 16),
            ("previous_hash", "00" * 16),
        )
    ),
    deleted_verdict,
    truncated_trail,
    replayed_verdict,
    appended_verdict,
    rewritten_chain,
    moved_head,
    _decide_anew("reject", reason="wrong"),
    _decide_anew("edit", edited_answer="Better."),
    undone_verdict,
    automatic_only,
    database_gone,
    database_torn,
    other_queue,
)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ReviewQueue]:
    """Open the queue at a path."""
    queue = ReviewQueue(Database.open(path, concern="review", migrations=schema.MIGRATIONS), RECIPE)
    try:
        yield queue
    finally:
        queue.close()


def build(path: Path, num: int) -> list[Example]:
    """Make rows, and a queue in which Ada approved all of them."""
    rows = make_rows(num)
    with opened(path) as queue:
        queue.sync_items(build_items(rows, [], lambda _: "", CONFIG), CONFIG)
        votes = [
            Vote(item_key=item_key(row, CONFIG), decision="approve", reviewer="Ada", token=content_hash(row.key))
            for row in rows
        ]
        for start in range(0, num, 2000):
            queue.record(votes[start : start + 2000])
    return rows


def verify(path: Path, curated: list[Example], dataset: list[Example], config: ReviewConfig) -> None:
    """Let the gate judge. Raises ReviewGateError, or another error of ours if the database cannot even be opened."""
    with opened(path) as queue:
        verify_gate(curated_examples=curated, curated_pairs=[], dataset_rows=dataset, queue=queue, config=config, where="here")


def attempt(forgery: Callable[[Case], None], original: Path, rows: list[Example], folder: Path, seed: int) -> tuple[bool, bool]:
    """Make one attempt; return whether it was refused, and whether the message names what was forged."""
    path = folder / f"case{seed}.db"
    shutil.copyfile(original, path)
    case = Case(path=path, curated=list(rows), dataset=list(rows), config=CONFIG, rng=random.Random(seed))
    forgery(case)
    try:
        verify(case.path, case.curated, case.dataset, case.config)
    except ReviewGateError as error:
        return True, case.at_fault in str(error)
    except TunewrightError:  # the database could not be opened at all, so nothing is trained either
        return True, case.at_fault == "cannot be relied on"
    finally:
        for file in folder.glob(f"case{seed}.db*"):
            file.unlink()
    print(f"ACCEPTED: {forgery.__name__}", flush=True)
    return False, False


def main() -> None:
    """Parse the options, run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each forgery once, 10,000 rows: under a minute")
    parser.add_argument("--rows", type=int, help="rows to verify (100,000; quick: 10,000)")
    parser.add_argument("--forgeries", type=int, help="attempts (200; quick: one of each kind)")
    arguments = parser.parse_args()
    num_rows = arguments.rows or (10_000 if arguments.quick else 100_000)
    attempts = arguments.forgeries or (len(FORGERIES) if arguments.quick else 200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = build(folder / "small.db", SMALL)
        verify(folder / "small.db", small, small, CONFIG)  # what was not tampered with passes
        outcomes = []
        for number in range(attempts):
            forgery = FORGERIES[number % len(FORGERIES)]
            refused, named = attempt(forgery, folder / "small.db", small, folder, number)
            outcomes.append((refused, named))
            if refused and not named:
                print(f"refused without naming it: {forgery.__name__}", flush=True)
        many = build(folder / "many.db", num_rows)
        started = time.perf_counter()
        verify(folder / "many.db", many, many, CONFIG)
        seconds = time.perf_counter() - started
    found = {
        "forgeries": attempts,
        "kinds": len(FORGERIES),
        "refused": sum(refused for refused, _ in outcomes),
        "named": sum(named for _, named in outcomes),
        "rows": num_rows,
        "verify_s": round(seconds, 2),
        "verify_100k_s": round(seconds * 100_000 / num_rows, 2),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
