"""The code version follows code and templates, not comments; seen on a package made for the test."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assets import code_version as module_under_test
from assets.code_version import code_version

MODULE = '''"""Cuts texts."""
from tw_probe.parts import helper

LIMIT = 3


def cut(text: str) -> str:
    """Cut a text."""
    return helper(text)[:LIMIT]
'''

Version = Callable[[], str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `tw_probe` that counts as one of ours."""
    folder = tmp_path / "tw_probe"
    (folder / "parts").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "main.py").write_text(MODULE)
    (folder / "parts" / "__init__.py").write_text("from tw_probe.parts.deep import helper\n")
    (folder / "parts" / "deep.py").write_text("def helper(text):\n    return text\n")
    (folder / "other.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module_under_test, "OWN_PACKAGES", ("tw_probe",))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "tw_probe"]:
        del sys.modules[name]


def version_of(*modules: str) -> str:
    """What a freshly started process would get."""
    for cached in vars(module_under_test).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    importlib.invalidate_caches()
    return code_version(*modules)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_no_code_is_executed(package: Path) -> None:
    for file in ("__init__.py", "main.py", "parts/__init__.py", "parts/deep.py"):
        (package / file).write_text((package / file).read_text() + "\nraise SystemExit('it ran')\n")
    version_of("tw_probe.main")
    assert not [name for name in sys.modules if name.partition(".")[0] == "tw_probe"]


def test_version_is_stable(package: Path) -> None:
    assert version_of("tw_probe.main") == version_of("tw_probe.main")
    assert version_of("tw_probe.main") != version_of("tw_probe.other")
    assert version_of("tw_probe.main", "tw_probe.other") == version_of("tw_probe.other", "tw_probe.main")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 3  # not 4"),
        ("LIMIT = 3", "\n\n\n# why three\nLIMIT = (3)"),
        ('"""Cut a text."""', '"""Cut a text after its third character."""'),
        ('"""Cuts texts."""', '"""Something else."""'),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(package: Path, old: str, new: str) -> None:
    before = version_of("tw_probe.main")
    edit(package / "main.py", old, new)
    assert version_of("tw_probe.main") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("main.py", "LIMIT = 3", "LIMIT = 4"),
        ("main.py", "[:LIMIT]", "[LIMIT:]"),
        ("parts/deep.py", "return text", "return text + ''"),
        ("parts/__init__.py", "helper\n", "helper\nEXTRA = 1\n"),
    ],
)
def test_code_counts_also_in_modules_imported_from_afar(package: Path, file: str, old: str, new: str) -> None:
    before = version_of("tw_probe.main")
    edit(package / file, old, new)
    assert version_of("tw_probe.main") != before


def test_modules_that_are_not_imported_do_not_count(package: Path) -> None:
    before = version_of("tw_probe.main")
    edit(package / "other.py", "X = 1", "X = 2")
    assert version_of("tw_probe.main") == before


def test_templates_that_a_module_names_count(package: Path) -> None:
    (package / "templates" / "deep").mkdir(parents=True)
    page, stranger = package / "templates" / "deep" / "page.html.j2", package / "elsewhere.sql"
    page.write_text("<p>")
    edit(package / "main.py", "LIMIT = 3", 'LIMIT = 3\nFOLDER = "templates"')
    before, other = version_of("tw_probe.main"), version_of("tw_probe.other")
    page.write_text("<b>")
    after = version_of("tw_probe.main")
    assert after != before
    assert version_of("tw_probe.other") == other
    stranger.write_text("SELECT 1")
    assert version_of("tw_probe.main") == after


def test_import_cycles_end(package: Path) -> None:
    edit(package / "parts" / "deep.py", "    return text", "    import tw_probe.main\n\n    return text")
    assert version_of("tw_probe.main") != version_of("tw_probe.other")


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        version_of("curation.no_such_module")


def test_report_template_counts_in_the_real_tree() -> None:
    import evaluation.report.page

    folder = Path(evaluation.report.page.__file__).parent / "templates"
    assert [file for file in folder.iterdir() if file.suffix in module_under_test.TEMPLATE_SUFFIXES]
    assert '"templates"' in Path(evaluation.report.page.__file__).read_text(), "else its edits would no longer be seen"


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("curation.curate.row_checks", "curation/privacy/words/people.txt"),
        ("curation.quality.page", "curation/quality/templates/quality.css"),
        ("evaluation.report.page", "evaluation/report/templates/viewer.js"),
        ("training.preflight.stage", "training/preflight/templates/report.css"),
    ],
)
def test_word_lists_scripts_and_styles_count_in_the_real_tree(module: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, read = version_of(module), Path.read_bytes
    edited = Path(module_under_test.__file__).parent.parent / file
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"x" * (path == edited))
    assert version_of(module) != before


def test_what_a_leaf_imports_does_not_count_but_the_leaf_does(package: Path) -> None:
    def version() -> str:
        version_of("tw_probe.main")  # forgets what was read
        return code_version("tw_probe.other", leaves=("tw_probe.main",))

    before = version()
    edit(package / "parts" / "deep.py", "return text", "return text + ''")
    assert version() == before
    edit(package / "main.py", "LIMIT = 3", "LIMIT = 4")
    assert version() != before
