"""The pages that stages store for people, and their addresses behind the guarded webserver.

    page_address("toy/evaluation_report", "9f...")  # /tunewright/pages/toy/evaluation_report/9f.../index.html
    read_page(store, "/tunewright/pages/toy/evaluation_report/9f.../index.html")  # the bytes, or None

Browsers follow no link from an http page to a file; these addresses work wherever the webserver stands, as they name no host.
"""

import json
import re

from curation.errors import CorruptTableError, MissingTableError
from curation.store import Snapshot, Store

PREFIX = "/tunewright/pages"
PAGE = "index.html"
PAGE_FOLDERS = {"evaluation_report": "report", "dataset_card": "card", "quality_report": "report"}
"""Asset -> its folder that is a page; every asset may have one under the name `preflight` besides."""
PREFLIGHT = "preflight"
FILES = frozenset({PAGE, "README.md", "croissant.json", "items.jsonl", "report.json"})
"""What is given away of such a folder: the page and what it links. The rows beside a data card are not."""
_ADDRESS = re.compile(
    rf"{PREFIX}/(?P<asset>[a-z][a-z0-9_]*/[a-z][a-z0-9_]*)/(?P<folder>[0-9a-f]{{32}})/(?P<file>[A-Za-z.]{{1,40}})"
)


def page_address(asset: str, folder_hash: str) -> str:
    """Return the address of a stored page, relative to the host that shows it; `asset` is a store key (`toy/sft_model`)."""
    return f"{PREFIX}/{asset}/{folder_hash}/{PAGE}"


def read_page(store: Store, path: str) -> bytes | None:
    """Return a file of a stored page by its address, or None if no snapshot of that asset names the folder as a page.

    Raises:
        OSError: if the file is there and cannot be read.
    """
    found = _ADDRESS.fullmatch(path)
    if found is None or found["file"] not in FILES or not _is_page(store, found["asset"], found["folder"]):
        return None
    try:
        folder = store.get_folder(found["folder"]).resolve()
    except MissingTableError:
        return None
    file = folder / found["file"]
    return file.read_bytes() if file.is_file() and file.resolve().parent == folder else None


def _is_page(store: Store, asset: str, folder_hash: str) -> bool:
    """Tell whether the newest snapshot of an asset, or an earlier one of its builds, names a folder as a page."""
    names = {PREFLIGHT, PAGE_FOLDERS.get(asset.partition("/")[2], PREFLIGHT)}
    if folder_hash in _folders(_newest(store, asset), names):
        return True
    builds = store.files.find(f"builds/{asset}", ".json")
    return any(folder_hash in _build_folders(store, build, names) for build in builds)


def _newest(store: Store, asset: str) -> dict[str, str]:
    try:
        found: Snapshot | None = store.find_snapshot(asset)
    except (CorruptTableError, OSError, TypeError, KeyError):
        return {}
    return found.folders if found else {}


def _build_folders(store: Store, path: str, names: set[str]) -> set[str]:
    """Return the pages of one earlier build; a file that is gone or broken names none."""
    try:
        return _folders(json.loads(store.files.read_bytes(path))["folders"], names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _folders(folders: dict[str, str], names: set[str]) -> set[str]:
    return {folder for name, folder in folders.items() if name in names}
