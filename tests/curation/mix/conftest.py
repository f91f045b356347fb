"""Rows to select from and to mix."""

from collections.abc import Callable

import pytest

from curation.records import Example, JudgeVote, Message, Origin, Provenance

MakeExample = Callable[..., Example]


@pytest.fixture(scope="session")
def make_example() -> MakeExample:
    def make(
        key: str,
        prompt: str = "Why?",
        answer: str = "Because.",
        *,
        task: str = "qa",
        votes: tuple[float, ...] = (),
        origin: Origin = "human",
    ) -> Example:
        messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
        found = tuple(JudgeVote(judge="j", score=score, reason="") for score in votes)
        return Example(
            key=key, task=task, messages=messages, group=key, provenance=Provenance(origin=origin, method="m", votes=found)
        )

    return make
