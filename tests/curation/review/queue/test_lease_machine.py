"""People claim, decide, let go, run out of time, undo and adjudicate in any order: what is stored is what the verdicts say."""

import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curation.database import Database
from curation.errors import LeaseLostError, VerdictConflictError, VerdictRefusedError
from curation.records import Decision, Example, Message, Provenance
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue
from curation.review.queue.claims import Lease
from curation.review.queue.resolution import resolve
from curation.review.queue.vote import Role

pytestmark = pytest.mark.slow

NUM_ITEMS = 3
PEOPLE = st.sampled_from(["Ada", "Bob", "Cleo", "Dora"])
DECISIONS = st.sampled_from(["approve", "reject"])
PROVENANCE = Provenance(origin="human", method="demonstration")


class LeaseMachine(RuleBasedStateMachine):
    """Keeps every lease that was ever given, and knows which of them may still be used."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "review.db"
        self.database = Database.open(path, concern="review", migrations=schema.MIGRATIONS)
        self.queue = ReviewQueue(self.database, "demo")
        self.given: list[Lease] = []
        self.live: dict[tuple[str, int], Lease] = {}

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @initialize(overlap=st.integers(1, 3))
    def fill(self, overlap: int) -> None:
        self.sync(overlap)

    @rule(overlap=st.integers(1, 3))
    def sync(self, overlap: int) -> None:
        rows = [
            Example(
                key=f"row{number}",
                task="routing",
                group="g",
                messages=(Message(role="user", content=f"{number}?"), Message(role="assistant", content="a")),
                provenance=PROVENANCE,
            )
            for number in range(NUM_ITEMS)
        ]
        self.overlap = overlap
        config = ReviewConfig(overlap=overlap)
        self.queue.sync_items(build_items(rows, [], lambda _: "", config), config)
        slots = {(row["item_key"], row["slot"]) for row in self._rows()}
        self.live = {at: lease for at, lease in self.live.items() if at in slots}

    @rule(name=PEOPLE, role=st.sampled_from(["review", "adjudication"]))
    def claim(self, name: str, role: Role) -> None:
        lease = self.queue.claim(name, role=role)
        if lease is None:
            return
        at = (lease.item_key, lease.slot)
        assert at not in self.live, "given to two people at once"
        assert all(other.item_key != lease.item_key or other.reviewer != name for other in self.live.values())
        self.live[at] = lease
        self.given.append(lease)

    @rule(number=st.integers(0, 50), decision=DECISIONS)
    def decide(self, number: int, decision: Decision) -> None:
        if not self.given:
            return
        lease = self.given[number % len(self.given)]
        at = (lease.item_key, lease.slot)
        is_mine = self.live.get(at) == lease
        try:
            self.queue.submit(
                lease.item_key, decision, lease.reviewer, generation=lease.generation, role=lease.role, reason="wrong"
            )
        except (LeaseLostError, VerdictConflictError, VerdictRefusedError) as error:
            allowed = lease.role == "adjudication" or isinstance(error, VerdictConflictError)
            assert not is_mine or allowed, error  # noqa: PT017
            return
        assert is_mine, "a stale lease was accepted"
        del self.live[at]
        self._drop_void()

    @rule(number=st.integers(0, 50))
    def let_go(self, number: int) -> None:
        if not self.given:
            return
        lease = self.given[number % len(self.given)]
        assert self.queue.release(lease) == (self.live.get((lease.item_key, lease.slot)) == lease)
        if self.live.get((lease.item_key, lease.slot)) == lease:
            del self.live[lease.item_key, lease.slot]

    @rule()
    def run_out(self) -> None:
        self.database.write(lambda connection: connection.execute(sa.text("UPDATE review_slots SET expires_at = 1")))
        self.live = {}

    @rule(name=PEOPLE, number=st.integers(0, NUM_ITEMS - 1))
    def undo(self, name: str, number: int) -> None:
        item = self.queue.list_items()[number].item
        outcome = self.queue.resolution(item.key)
        mine = [vote for vote in (*outcome.votes, outcome.adjudication) if vote is not None and vote.reviewer == name]
        if not mine:
            return
        try:
            self.queue.undo(mine[-1], name)
        except VerdictRefusedError as error:
            assert "adjudicated since" in str(error)  # noqa: PT017
        self._drop_void()

    @rule(name=PEOPLE, number=st.integers(0, NUM_ITEMS - 1), decision=DECISIONS)
    def decide_without_a_lease(self, name: str, number: int, decision: Decision) -> None:
        item = self.queue.list_items()[number].item
        holds = {at for at, lease in self.live.items() if lease.item_key == item.key and lease.reviewer == name}
        try:
            self.queue.submit(item.key, decision, name, reason="wrong")
        except (LeaseLostError, VerdictConflictError):
            return
        for at in holds:
            self.live.pop(at, None)
        self._drop_void()

    def _drop_void(self) -> None:
        """A slot for an adjudicator goes when the dispute is over, and the hold on it with it."""
        there = {(row["item_key"], row["slot"]) for row in self._rows() if not row["done_sequence"]}
        self.live = {at: lease for at, lease in self.live.items() if at in there}

    def _rows(self) -> list[dict[str, object]]:
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(sa.select(schema.slots)).mappings()]

    @invariant()
    def items_are_what_their_verdicts_come_to(self) -> None:
        entries = self.queue.list_items()
        for entry in entries:
            outcome = resolve(self.queue.history(entry.item.key), self.overlap)
            assert (entry.state, entry.human, entry.num_votes) == (outcome.state, outcome.verdict, len(outcome.votes))
        counts = self.queue.counts()
        assert counts.num_open == sum(entry.human is None for entry in entries)
        assert counts.num_disputed == sum(entry.state == "disputed" for entry in entries)

    @invariant()
    def slots_are_as_many_as_are_needed_and_their_holders_differ(self) -> None:
        for entry in self.queue.list_items():
            slots = [row for row in self._rows() if row["item_key"] == entry.item.key]
            assert sum(row["role"] == "review" for row in slots) >= self.overlap
            holders = [row["holder"] for row in slots if row["holder"]]
            assert len(holders) == len(set(holders))
            waiting = [row for row in slots if row["role"] == "adjudication" and not row["done_sequence"]]
            assert bool(waiting) == (entry.state == "disputed")

    @invariant()
    def the_trail_is_sound(self) -> None:
        self.queue.verify_chain()


LeaseMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
test_lease_machine = LeaseMachine.TestCase
