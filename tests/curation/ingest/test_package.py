"""Public objects of packages: a written one with every trap, and Polars, the demo's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import EmptySourceError, UnknownPackageError
from curation.ingest.config import SourceConfig
from curation.ingest.sources import Ingested, list_shards, read_shard

INIT = '''
"""A toolbox."""
print("noise at import")
import os, json
from json import dumps
from .hidden._impl import Tool, helper
from .hidden._impl import helper as alias
CONSTANT = 5
def undocumented(): pass
def with_default(x=object(), *, y={"b", "a"}):
    """Has defaults."""
'''
IMPL = '''
class _TextTools:
    def upper(self) -> str:
        """Upper-case the text."""
class _Base:
    def inherited(self):
        """From a private base."""
class Tool(_Base):
    """A tool."""
    @property
    def text(self) -> "_TextTools":
        """Text functions."""
    @classmethod
    def make(cls, size: int = 3) -> "Tool":
        """Make one."""
    @staticmethod
    def free(first):
        """Free."""
    def use(self, times, /):
        """
        Use it.

        Parameters
        ----------
        times
            How often.
        """
    def _private(self):
        """Private."""
    class Inner:
        """Nested."""
class SubTool(Tool):
    """Not exported at the top."""
def helper():
    """Help."""
class Error(Exception):
    """Bad."""
'''


@pytest.fixture
def toolbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "toolbox_under_test"
    (folder / "hidden").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "__init__.py").write_text(INIT)
    (folder / "hidden" / "__init__.py").write_text("")
    (folder / "hidden" / "_impl.py").write_text(IMPL)
    (folder / "broken.py").write_text("import not_there_at_all")
    (folder / "quitting.py").write_text("raise SystemExit(3)")
    (folder / "tests" / "__init__.py").write_text("raise RuntimeError('tests must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("toolbox_under_test")]:
        del sys.modules[name]


def _source(package: str, **fields: object) -> SourceConfig:
    return SourceConfig(name="api", kind="python_package", package=package, **fields)


def _read(package: str) -> Ingested:
    return read_shard(_source(package), "api-0of1")


def test_objects_stand_under_their_public_names(toolbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingested = _read("toolbox_under_test")
    found = {document.title.removeprefix("toolbox_under_test"): document.kind for document in ingested.documents}
    assert found == {
        "": "module",
        ".Tool": "class",
        ".Tool.Inner": "class",
        ".Tool.free": "method",
        ".Tool.inherited": "method",
        ".Tool.make": "method",
        ".Tool.text": "property",
        ".Tool.text.upper": "method",
        ".Tool.use": "method",
        ".alias": "function",
        ".with_default": "function",
    }
    assert capsys.readouterr().out == ""


def test_what_is_not_documented_or_not_importable_is_rejected(toolbox: Path) -> None:
    ingested = _read("toolbox_under_test")
    reasons = {rejection.key.removeprefix("api/toolbox_under_test."): rejection.reason for rejection in ingested.rejections}
    assert reasons == {
        "broken": "import_failed",
        "quitting": "import_failed",
        "hidden": "undocumented",
        "undocumented": "undocumented",
    }
    assert ingested.num_records == len(ingested.documents) + len(ingested.rejections)


def test_signatures_are_as_users_write_them(toolbox: Path) -> None:
    by_title = {document.title.rpartition(".")[2]: document for document in _read("toolbox_under_test").documents}
    lines = {name: document.text.split("\n")[0].removeprefix("toolbox_under_test.") for name, document in by_title.items()}
    assert lines["use"] == "Tool.use(times, /)"
    assert lines["make"] == "Tool.make(size: int = 3) -> Tool"
    assert lines["free"] == "Tool.free(first)"
    assert lines["upper"] == "Tool.text.upper() -> str"
    assert lines["with_default"] == "with_default(x=<object object>, *, y={'a', 'b'})"
    use = by_title["use"]
    texts = {section.kind: use.text[section.start : section.end] for section in use.sections}
    assert texts["parameters"] == "times\n    How often."
    assert use.group == "use"
    assert use.sections[1].heading_path == ("toolbox_under_test.Tool.use", "Summary")


def test_unknown_and_broken_packages_end_in_one_sentence(toolbox: Path) -> None:
    for package in ("no_such_package_here", "toolbox_under_test.broken", "toolbox_under_test.quitting"):
        with pytest.raises(UnknownPackageError, match=package):
            _read(package)
    with pytest.raises(UnknownPackageError, match="not installed"):
        list_shards(_source("no_such_package_here"))


def test_a_package_without_documentation_is_an_empty_source(toolbox: Path) -> None:
    (toolbox / "bare.py").write_text("def f(): pass")
    with pytest.raises(EmptySourceError):
        _read("toolbox_under_test.bare")


def test_the_fingerprint_follows_the_source_files(toolbox: Path) -> None:
    source = _source("toolbox_under_test", shards=2)
    before = list_shards(source)
    assert [shard.key for shard in before] == ["api-0of2", "api-1of2"]
    assert list_shards(source) == before
    (toolbox / "hidden" / "_impl.py").write_text(IMPL.replace("Make one.", "Make two."))
    assert all(new.fingerprint != old.fingerprint for new, old in zip(list_shards(source), before, strict=True))


@pytest.mark.slow
def test_shards_cut_polars_without_overlap() -> None:
    source = _source("polars", shards=4, license="MIT")
    shards = [read_shard(source, shard.key) for shard in list_shards(source)]
    keys = [document.key for shard in shards for document in shard.documents]
    assert len(keys) == len(set(keys))
    assert 1200 <= len(keys) <= 2000
    assert min(len(shard.documents) for shard in shards) > 200
    assert {
        "api/polars.Expr.str.to_uppercase",
        "api/polars.Series.str.to_uppercase",
        "api/polars.col",
        "api/polars.DataFrame.sort",
    } <= set(keys)
    whole = read_shard(_source("polars", license="MIT"), "api-0of1")
    assert {document.key for document in whole.documents} == set(keys)


@pytest.mark.slow
def test_two_processes_read_the_same_documents() -> None:
    program = (
        "from curation.ingest.sources import *; from curation.ingest.config import SourceConfig; import json;"
        "from curation.ids import merkle_root; from curation.records import record_hash;"
        "source = SourceConfig(name='api', kind='python_package', package='polars');"
        "documents = read_shard(source, 'api-0of1').documents;"
        "print(json.dumps([merkle_root(map(record_hash, documents)), list_shards(source)[0].fingerprint]))"
    )
    outputs = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        outputs.append(json.loads(done.stdout))
    assert outputs[0] == outputs[1]
