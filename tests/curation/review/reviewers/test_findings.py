"""What many readers ask for at once is worked out once."""

import threading
from typing import Any

import pytest

from curation.review.queue import ReviewQueue
from curation.review.reviewers import findings as module
from curation.review.reviewers.findings import Findings


def test_readers_who_ask_at_the_same_time_are_given_one_answer(queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[object] = []
    has_begun, may_go_on = threading.Event(), threading.Event()

    def work(_: Any) -> object:
        has_begun.set()
        assert may_go_on.wait(60.0)
        worked.append(object())
        return worked[-1]

    monkeypatch.setattr(module, "reviewer_statistics", work)
    findings, found = Findings(), list[object]()
    readers = [threading.Thread(target=lambda: found.append(findings.statistics(queue))) for _ in range(6)]
    for reader in readers:
        reader.start()
    assert has_begun.wait(60.0)
    may_go_on.set()
    for reader in readers:
        reader.join(60.0)
    assert found == worked * 6
    assert len(worked) == 1


def test_nobody_waits_while_what_is_known_is_worked_out_anew(queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter(["old", "new"])
    monkeypatch.setattr(module, "KEPT_FOR", 0.0)
    monkeypatch.setattr(module, "reviewer_statistics", lambda _: next(values))
    findings = Findings()
    assert findings.statistics(queue) == "old"
    has_begun, may_go_on = threading.Event(), threading.Event()

    def work(_: Any) -> str:
        has_begun.set()
        assert may_go_on.wait(60.0)
        return next(values)

    monkeypatch.setattr(module, "reviewer_statistics", work)
    monkeypatch.setattr(module, "_state", lambda _: "a verdict came in")
    found: list[object] = []
    first, second = (threading.Thread(target=lambda: found.append(findings.statistics(queue))) for _ in range(2))
    first.start()
    assert has_begun.wait(60.0)
    second.start()
    second.join(60.0)
    assert found == ["old"]
    may_go_on.set()
    first.join(60.0)
    assert found == ["old", "new"]
