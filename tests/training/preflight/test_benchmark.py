"""What the benchmark claims: every planted mistake is stopped, no template that TRL ships is refused."""

import random

import pytest

from benchmarks.preflight import inspect_template, is_stopped
from benchmarks.preflight_data_faults import FAULTS
from benchmarks.preflight_rows import SETUPS, Setup
from benchmarks.preflight_templates import list_templates
from training.preflight.inspect import inspect_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def setups() -> dict[str, Setup]:
    return {kind: build() for kind, build in SETUPS.items()}


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_planted_mistake_is_stopped_on_every_kind_of_chat(name: str, setups: dict[str, Setup]) -> None:
    for setup in setups.values():
        planted = FAULTS[name](setup, random.Random(11))
        assert is_stopped(inspect_rows(planted.subject), planted.rule)


def test_no_template_is_refused() -> None:
    refused = {
        name: [finding.rule for finding in report.errors]
        for name, setup in list_templates()
        if not (report := inspect_template(setup)).passed
    }
    assert refused == {}
