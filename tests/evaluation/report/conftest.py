"""One full and one plain evaluation, made once."""

import pytest

from evaluation.report.inputs import ReportInputs
from tests.evaluation.report.made_report import make_plain_report, make_report


@pytest.fixture(scope="session")
def full() -> ReportInputs:
    return make_report(num_items=60, num_sums=40)


@pytest.fixture(scope="session")
def plain() -> ReportInputs:
    return make_plain_report()
