"""Whatever is done in whatever order: the newest verdict counts, nothing is lost, the chain holds. Also across kill -9."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from curation.database import Database
from curation.errors import ItemWithdrawnError, VerdictConflictError
from curation.records import Decision, Example, Message, Provenance, ReviewItem, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
NUM_ITEMS = 4


def make_items() -> list[ReviewItem]:
    rows = [
        Example(
            key=f"row{number}",
            task="routing",
            group="g",
            messages=(Message(role="user", content=f"{number}?"), Message(role="assistant", content="a")),
            provenance=Provenance(origin="human", method="demonstration"),
        )
        for number in range(NUM_ITEMS)
    ]
    return build_items(rows, [], lambda _: "", CONFIG)


class QueueMachine(RuleBasedStateMachine):
    """Compares the queue with a plain list of what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database.open(Path(self.folder.name) / "review.db", concern="review", migrations=schema.MIGRATIONS)
        self.queue = ReviewQueue(self.database, "demo")
        self.items = make_items()
        self.listed: set[str] = set()
        self.acknowledged: list[Verdict] = []

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(chosen=st.sets(st.integers(0, NUM_ITEMS - 1)))
    def sync(self, chosen: set[int]) -> None:
        items = [self.items[number] for number in sorted(chosen)]
        report = self.queue.sync_items(items, CONFIG)
        wanted = {item.key for item in items}
        assert (report.added, report.kept, report.closed) == (
            len(wanted - self.listed),
            len(wanted & self.listed),
            len(self.listed - wanted),
        )
        self.listed = wanted

    @rule(
        number=st.integers(0, NUM_ITEMS - 1),
        decision=st.sampled_from(["approve", "reject", "edit"]),
        kind=st.sampled_from(["human", "automatic"]),
        is_stale=st.booleans(),
        repeats=st.booleans(),
    )
    def submit(self, number: int, decision: Decision, kind: str, is_stale: bool, repeats: bool) -> None:
        key = self.items[number].key
        newest = self._newest(kind).get(key)
        expected = (newest.sequence if newest else 0) + is_stale
        name = "Ada" if kind == "human" else "automatic:length v1"
        arguments = (key, decision, name, kind, "", "b" if decision == "edit" else "")
        token = f"token {len(self.acknowledged)}"
        try:
            verdict = self.queue.submit(*arguments, token=token, expected=expected)  # type: ignore[arg-type]
        except ItemWithdrawnError:
            assert key not in self.listed
            return
        except VerdictConflictError:
            assert is_stale
            return
        assert key in self.listed
        assert not is_stale
        self.acknowledged.append(verdict)
        if repeats:
            assert self.queue.submit(*arguments, token=token, expected=expected) == verdict  # type: ignore[arg-type]

    def _newest(self, kind: str) -> dict[str, Verdict]:
        return {verdict.key: verdict for verdict in self.acknowledged if verdict.reviewer_kind == kind}

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.queue.verdicts_after(0) == self.acknowledged
        assert [verdict.sequence for verdict in self.acknowledged] == list(range(1, len(self.acknowledged) + 1))
        self.queue.verify_chain()

    @invariant()
    def the_newest_counts_and_people_outrank_rules(self) -> None:
        assert self.queue.current_verdicts("human") == self._newest("human")
        assert self.queue.current_verdicts("automatic") == self._newest("automatic") | self._newest("human")

    @invariant()
    def pages_agree_with_the_verdicts(self) -> None:
        entries = {entry.item.key: entry for entry in self.queue.list_items("all")}
        assert set(entries) == self.listed
        human = self._newest("human")
        assert {key: entry.human for key, entry in entries.items()} == {key: human.get(key) for key in self.listed}
        assert self.queue.counts().num_open == len(self.listed - human.keys())


QueueMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
test_queue_machine = QueueMachine.TestCase


WRITER = """
import sys
from pathlib import Path
from curation.database import Database
from curation.review import schema
from curation.review.queue import ReviewQueue
queue = ReviewQueue(Database.open(Path(sys.argv[1]), concern="review", migrations=schema.MIGRATIONS), "demo")
key = queue.next_item().item.key
print("ready", flush=True)
while True:
    print(queue.submit(key, "approve", "Ada").sequence, flush=True)
"""


def test_kill_9_loses_no_acknowledged_verdict(tmp_path: Path, make_example: Callable[..., Example]) -> None:
    path = tmp_path / "review.db"
    database = Database.open(path, concern="review", migrations=schema.MIGRATIONS)
    queue = ReviewQueue(database, "demo")
    queue.sync_items(build_items([make_example()], [], lambda _: "", CONFIG), CONFIG)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(25)][-1]
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().splitlines(keepends=True)
    writer.stdout.close()
    writer.wait()
    last = int(next(line for line in reversed([acknowledged, *rest]) if line.endswith("\n")))
    verdicts = queue.verdicts_after(0)
    assert last <= len(verdicts) <= last + 1
    assert queue.verify_chain()
    assert queue.submit(verdicts[0].key, "reject", "Ada", reason="wrong").sequence == len(verdicts) + 1
    queue.close()
