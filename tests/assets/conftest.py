"""A home in a temporary folder."""

from pathlib import Path

import pytest

from curation.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")
