"""The fault matrix: every request ends accepted or rejected with its reason, and one bad row never fails its batch."""

from pathlib import Path

import pytest

from tests.curation.synthesis.engine.fault_matrix import make_cases, run_matrix


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.slow
def test_every_request_is_accounted_for(tmp_path: Path, stream: bool) -> None:
    outcome = run_matrix(tmp_path, make_cases(step=29), stream=stream)
    assert outcome.wrong == []
    assert outcome.num_accounted_for == outcome.num_asked > 150
    assert outcome.num_partial == 0
    assert len(outcome.reasons) >= 5
