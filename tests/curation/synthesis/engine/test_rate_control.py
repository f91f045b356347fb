"""The rate control finds limits that nobody discloses, obeys those that are, and lets everything else through."""

from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.synthesis.engine.rate_control import FIRST_RATE, Permit, RateControl
from curation.synthesis.engine.rate_headers import Limit, parse_duration, read_limits
from curation.synthesis.engine.rate_search import LimitSearch
from tests.curation.synthesis.engine.simulated_endpoint import Cap, bucket, no_cap, simulate, sliding, window


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def start(control: RateControl, tokens: int = 0) -> Permit:
    permit = control.try_start(tokens)
    assert isinstance(permit, Permit)
    return permit


def wait(control: RateControl, tokens: int = 0) -> float:
    seconds = control.try_start(tokens)
    assert not isinstance(seconds, Permit)
    return seconds


@pytest.mark.parametrize("make", [lambda: window(100), lambda: sliding(100), lambda: bucket(100, 10), lambda: bucket(100, 100)])
def test_an_undisclosed_cap_is_used_with_few_refusals(make: Callable[[], Cap]) -> None:
    run = simulate(make(), num_requests=4000)
    assert run.per_second > 93
    assert run.share_limited < 0.02


def test_an_allowance_by_the_clock_that_is_used_up_is_no_lower_limit() -> None:
    runs = [simulate(window(100), num_requests=5000, seed=seed) for seed in range(5)]
    assert min(run.per_second for run in runs) > 97
    assert max(run.share_limited for run in runs) < 0.01


def test_without_a_cap_the_places_are_what_limits() -> None:
    run = simulate(no_cap, num_requests=4000)
    assert run.num_limited == 0
    assert run.most_in_flight >= 95
    assert run.seconds < 8


def test_a_slow_endpoint_gets_its_places_full() -> None:
    run = simulate(no_cap, num_requests=300, latency=5.0, concurrency=50)
    assert run.most_in_flight == 50


@pytest.mark.parametrize("latency", [0.05, 0.5])
def test_a_small_cap_is_found_as_well(latency: float) -> None:
    run = simulate(bucket(2, 4), num_requests=600, latency=latency, refusal_latency=0.02)
    assert run.per_second > 1.6
    assert run.share_limited < 0.06


def test_a_cap_that_falls_and_one_that_rises_are_followed() -> None:
    fallen = [
        simulate(bucket(200, 20), num_requests=2000, change=(5.0, bucket(50, 5)), seed=seed).share_limited for seed in range(5)
    ]
    assert sum(fallen) / len(fallen) < 0.03
    risen = simulate(bucket(50, 5), num_requests=2500, change=(5.0, bucket(400, 40)))
    assert risen.seconds < 40


@hypothesis.given(st.floats(5, 400), st.sampled_from([0.02, 0.05, 0.3]), st.integers(0, 9))
@hypothesis.settings(max_examples=8)
def test_whatever_the_cap_the_search_ends_below_it(rate: float, latency: float, seed: int) -> None:
    run = simulate(bucket(rate, max(2.0, rate / 10)), num_requests=1500, latency=latency, refusal_latency=0.02, seed=seed)
    assert run.share_limited < 0.05
    assert run.per_second > min(0.6 * rate, 0.2 * 100 / latency)


def test_retry_after_holds_for_everyone() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.limit(start(control), retry_after=7.0)
    assert wait(control) == pytest.approx(7.0)
    clock.now += 7.1
    start(control)


def test_refused_probes_are_rarer_and_rarer() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    moments = []
    for _ in range(20):
        while not isinstance(permit := control.try_start(), Permit):
            clock.now += permit
        moments.append(clock.now)
        control.limit(permit)
    gaps = [later - earlier for earlier, later in zip(moments[2:], moments[3:], strict=False)]
    assert gaps == pytest.approx(sorted(gaps))
    assert gaps[-1] > 5 * gaps[0]
    assert max(gaps) < 31


def test_one_probe_at_a_time_while_everything_is_refused() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.limit(start(control))
    clock.now += 10
    probe = start(control)
    clock.now += 10
    assert wait(control) > 0
    control.succeed(probe)
    start(control)


def test_no_more_in_flight_than_the_control_allows() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    num = 0
    for _ in range(500):
        num += isinstance(control.try_start(), Permit)
        clock.now += 0.02
    assert num == int(control.flight.value) == control.num_in_flight


def test_rules_and_recorded_replies_are_not_paced() -> None:
    control = RateControl(is_ramped=False, clock=Clock())
    assert all(isinstance(control.try_start(), Permit) for _ in range(500))


def test_known_limits_are_kept_from_the_start() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.declare(requests_per_minute=60, tokens_per_minute=6000)
    sent = []
    while clock.now < 1060:
        permit = control.try_start(tokens=50)
        if isinstance(permit, Permit):
            sent.append(clock.now)
            control.succeed(permit, {}, 50)
        else:
            clock.now += permit
    assert 58 <= len(sent) <= 62
    start_later(control, clock, tokens=5000)
    clock.now += 1.1
    assert wait(control, tokens=50) > 40


def test_tokens_that_were_not_used_are_given_back() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.declare(requests_per_minute=None, tokens_per_minute=6000)
    permit = start(control, tokens=500)
    clock.now += 0.1
    assert wait(control, tokens=500) > 4
    control.succeed(permit, {}, 100)
    assert wait(control, tokens=500) < 1.1


def headers(kind: str, limit: object, remaining: object, reset: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(remaining),
        f"x-ratelimit-reset-{kind}": reset,
    }


def test_an_allowance_in_the_headers_is_not_overdrawn() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.succeed(start(control), headers("requests", 60, 0, "1m0s"))
    clock.now += 0.1
    assert wait(control) == pytest.approx(0.9)
    clock.now += 0.95
    start(control)
    control.succeed(start_later(control, clock), headers("tokens", 6000, 100, "59s"))
    clock.now += 1.1
    assert wait(control, tokens=300) == pytest.approx(0.9, abs=0.2)


def start_later(control: RateControl, clock: Clock, tokens: int = 0) -> Permit:
    while not isinstance(permit := control.try_start(tokens), Permit):
        clock.now += permit
    return permit


def test_a_request_larger_than_the_whole_allowance_is_sent_when_that_is_full() -> None:
    clock = Clock()
    control = RateControl(clock=clock)
    control.succeed(start(control), headers("tokens", 1000, 1000, "0s"))
    clock.now += 1
    permit = control.try_start(50_000)
    assert isinstance(permit, Permit), f"it would wait {permit} s, and for ever"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("12.5", 12.5),
        ("0s", 0.0),
        ("2d", 172_800.0),
        ("900d", 604_800.0),
        ("1s ", 1.0),
        ("", None),
        ("soon", None),
        ("5x", None),
        ("-1s", None),
        ("1s1", None),
        ("nan", None),
        ("9" * 400, None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@hypothesis.given(st.text(max_size=30))
def test_any_duration_is_read_or_passed_over(text: str) -> None:
    seconds = parse_duration(text)
    assert seconds is None or 0 <= seconds <= 604_800


@pytest.mark.parametrize(
    "bad",
    [
        headers("requests", "many", 1, "1s"),
        headers("requests", 10, 11, "1s"),
        headers("requests", 0, 0, "1s"),
        headers("requests", 10, -1, "1s"),
        headers("requests", 10, 1, "later"),
        {"x-ratelimit-limit-requests": "10"},
    ],
)
def test_limits_that_make_no_sense_are_passed_over(bad: dict[str, str]) -> None:
    assert read_limits(bad) == {}


def test_limits_are_read() -> None:
    assert read_limits(headers("tokens", 150000, 149984, "6m0s")) == {
        "tokens": Limit(limit=150000, remaining=149984, reset_seconds=360)
    }


def test_a_search_returns_to_where_it_was_refused_and_goes_beyond() -> None:
    search = LimitSearch(100.0, longest=1e6)
    search.shrink()
    assert 90 < search.value < 100
    values = []
    for _ in range(1200):
        search.grow(1.01)
        values.append(search.value)
    assert values == sorted(values)
    assert values[399] == pytest.approx(100, rel=1e-3)
    assert values[-1] > 101


def test_refusals_in_quick_succession_cut_deeper_and_deeper() -> None:
    search = LimitSearch(100.0, longest=1e6, smallest=1.0)
    cuts = []
    for _ in range(8):
        before = search.value
        search.shrink()
        cuts.append(search.value / before)
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[-1] == pytest.approx(0.5)
    for _ in range(50):
        search.shrink()
    assert search.value == 1.0


def test_the_ramp_starts_slowly() -> None:
    assert RateControl().rate.value == FIRST_RATE
