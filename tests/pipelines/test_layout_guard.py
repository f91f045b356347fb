"""A package of ours that is taken from elsewhere stops everything with a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.errors import LayoutError
from pipelines.layout_guard import PACKAGES, check_layout


def test_our_own_layout_passes() -> None:
    check_layout()


def test_packages_from_elsewhere_are_refused_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as caught:
        check_layout(tmp_path)
    assert "'pipelines' is loaded from " in str(caught.value)
    assert str(tmp_path / "pipelines") in str(caught.value)


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "pipelines"])
def test_shadowed_package_ends_the_command_line_in_one_line(tmp_path: Path, package: str) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    command = "import pipelines.cli"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"'{package}' is loaded from {tmp_path / package}" in done.stderr
