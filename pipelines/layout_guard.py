"""Refuses to start when one of our generic package names is taken from elsewhere (see docs/decisions/0002).

Site-packages can hold a foreign `training` or `assets`; with an editable install it would win silently, and an asset
would run somebody else's code.
"""

import importlib.util
from pathlib import Path

PACKAGES = ("pipelines", "assets", "curation", "training", "evaluation")
ROOT = Path(__file__).resolve().parent.parent


def check_layout(root: Path = ROOT) -> None:
    """Check that each package comes from this project.

    Raises:
        LayoutError: naming the package and both places (ImportError if `curation`, where that error lives, is foreign).
    """
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found is None or not found.is_relative_to(root):
            raise _refusal(package, found or "nowhere", root / package)


def _refusal(package: str, found: Path | str, expected: Path) -> Exception:
    try:
        from curation.errors import LayoutError
    except ImportError:  # the foreign package is `curation` itself
        return ImportError(f"The package '{package}' is loaded from {found}, not from {expected}. Uninstall what shadows it.")
    return LayoutError(package=package, found=found, expected=expected)
