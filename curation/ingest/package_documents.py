r"""The documents of a Python package: one a public object, its signature and docstring cut into sections.

read_package(source, lambda name: True).documents[0]
    Document(key="polars_api/polars.Expr.abs", kind="method", group="abs", text="polars.Expr.abs() -> Expr\n\nCompute ...",
             sections=(Section(heading_path=("polars.Expr.abs", "Signature"), kind="signature", start=0, end=25), ...))
"""

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable
from pathlib import Path

from curation.errors import UnknownPackageError
from curation.ids import content_hash, hash_bytes, hash_text
from curation.ingest.config import SourceConfig
from curation.ingest.docstrings import find_sections
from curation.ingest.ingested import Ingested
from curation.ingest.package import FailedImport, PublicObject, find_objects
from curation.ingest.text import normalise_text
from curation.records import Document, Rejection, Section


def read_package(source: SourceConfig, belongs: Callable[[str], bool]) -> Ingested:
    """Return the documents of the public objects whose qualified name `belongs` to the shard.

    Raises:
        UnknownPackageError: if the package cannot be imported.
    """
    documents: list[Document] = []
    rejections: list[Rejection] = []
    for item in find_objects(source.package, source=source.name):
        if not belongs(item.name):
            continue
        if isinstance(item, FailedImport):
            rejections.append(
                _reject(source, item.name, "import_failed", f"Importing '{item.name}' failed: {item.reason}.", "")
            )
        elif not normalise_text(item.docstring):
            detail = f"The {item.kind} '{item.name}' has no docstring."
            rejections.append(_reject(source, item.name, "undocumented", detail, item.signature))
        else:
            documents.append(_document(source, item))
    return Ingested.of([*documents, *rejections])


def _document(source: SourceConfig, item: PublicObject) -> Document:
    signature, docstring = normalise_text(item.signature), normalise_text(item.docstring)
    offset = len(signature) + 2
    sections = [Section(heading_path=(item.name, "Signature"), kind="signature", start=0, end=len(signature))]
    for found in find_sections(docstring):
        path = (item.name, found.title)
        sections.append(Section(heading_path=path, kind=found.kind, start=offset + found.start, end=offset + found.end))
    return Document(
        key=f"{source.name}/{item.name}",
        source=source.name,
        title=item.name,
        kind=item.kind,
        text=f"{signature}\n\n{docstring}",
        sections=tuple(sections),
        group=item.name.rpartition(".")[2],
        license=source.license,
        output_terms=source.output_terms,
    )


def _reject(source: SourceConfig, name: str, reason: str, detail: str, signature: str) -> Rejection:
    return Rejection(
        key=f"{source.name}/{name}",
        stage="documents",
        reason=reason,
        detail=normalise_text(detail),
        record_hash=hash_text(f"{name}\n{signature}"),
        excerpt=normalise_text(signature)[:500],
    )


def package_fingerprint(source: SourceConfig) -> str:
    """Return a hash over what determines the documentation, without importing the package: version and source files.

    Raises:
        UnknownPackageError: if there is no such package.
    """
    try:
        spec = importlib.util.find_spec(source.package)
    except Exception as error:  # finding a dotted name imports its parents
        raise UnknownPackageError(source=source.name, package=source.package, reason=str(error)) from error
    if spec is None:
        raise UnknownPackageError(source=source.name, package=source.package, reason="it is not installed")
    files: dict[str, str] = {}
    for folder in spec.submodule_search_locations or ():
        files |= {str(path.relative_to(folder)): _file_hash(path) for path in sorted(Path(folder).rglob("*")) if _matters(path)}
    if spec.origin and Path(spec.origin).is_file():
        files["origin"] = _file_hash(Path(spec.origin))
    return content_hash({"version": _version(source.package), "python": platform.python_version(), "files": files})


def _matters(path: Path) -> bool:
    return path.suffix in (".py", ".so", ".pyd") and path.is_file()


def _file_hash(path: Path) -> str:
    """Hash Python files by content; compiled ones by size, since the version stands beside it."""
    return hash_bytes(path.read_bytes()) if path.suffix == ".py" else str(path.stat().st_size)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package.partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return ""
