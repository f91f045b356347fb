"""What a Python package offers in public: every object under the name that its users write.

    for item in find_objects("polars", source="polars_api"):
        item.name                 "polars.Expr.str.to_uppercase"
        item.signature            "polars.Expr.str.to_uppercase() -> Expr"

The package is imported and inspected; nothing in it is called. Names that start with an underscore, what comes from
another distribution, and what `object` and the builtins give to every class are left out.
"""

import contextlib
import importlib
import inspect
import io
import pkgutil
import re
import types
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from curation.errors import UnknownPackageError

MAX_DEPTH = 8
NO_API = frozenset({"test", "tests", "conftest", "setup"})
"""Submodules that hold no public interface; they are not imported."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class PublicObject(NamedTuple):
    """One public object of a package. `docstring` is cleaned of indentation and empty if there is none."""

    name: str
    kind: str
    """`module`, `class`, `function`, `method`, `property` or `attribute`."""
    signature: str
    docstring: str


class FailedImport(NamedTuple):
    """A public submodule that could not be imported."""

    name: str
    reason: str


class _Place(NamedTuple):
    name: str
    value: Any
    owner: type | types.ModuleType | None


def import_package(package: str, *, source: str) -> types.ModuleType:
    """Import a package quietly: what it prints and warns about is dropped.

    Raises:
        UnknownPackageError: if it cannot be imported, for whatever reason.
    """
    try:
        with _quiet():
            return importlib.import_module(package)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a foreign module may raise SystemExit or a test framework's skip
        reason = f"{type(error).__name__}: {error}"[:300]
        raise UnknownPackageError(source=source, package=package, reason=reason) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def find_objects(package: str, *, source: str) -> list[PublicObject | FailedImport]:
    """Return the public objects of a package, sorted by name; each stands once for each public owner.

    Raises:
        UnknownPackageError: if the package cannot be imported.
    """
    module = import_package(package, source=source)
    with _quiet():
        found = list(_Walk(package, source).walk(module))
    return sorted(found, key=lambda item: item.name)


class _Walk:
    """A breadth-first walk, so that an object is met under its shortest public path first."""

    def __init__(self, package: str, source: str) -> None:
        self.package = package
        self.source = source
        self.root = package.partition(".")[0]
        self.seen: dict[int, Any] = {}
        """By identity; the values are kept alive, so that no identity is used twice."""
        self.public: set[int] = set()
        self.queue: deque[_Place] = deque()

    def walk(self, module: types.ModuleType) -> Iterator[PublicObject | FailedImport]:
        self.queue.append(_Place(self.package, module, None))
        while self.queue:
            level = sorted(self.queue, key=lambda place: (place.name.count("."), place.name))
            self.queue.clear()
            self.public.update(id(place.value) for place in level if isinstance(place.value, type))
            for place in level:
                yield from self._visit(place)

    def _visit(self, place: _Place) -> Iterator[PublicObject | FailedImport]:
        value = place.value
        if isinstance(value, (types.ModuleType, type)):
            if id(value) in self.seen:
                return
            self.seen[id(value)] = value
        described = _describe(place)
        if described is not None:
            yield described
        if place.name.count(".") - self.package.count(".") >= MAX_DEPTH:
            return
        if isinstance(value, types.ModuleType):
            yield from self._open_module(place.name, value)
        elif isinstance(value, type):
            self._open_class(place.name, value)
        elif isinstance(value, property):
            namespace = self._namespace_of(value)
            if namespace is not None:
                self._open_class(place.name, namespace)

    def _open_module(self, name: str, module: types.ModuleType) -> Iterator[FailedImport]:
        listed = getattr(module, "__all__", None)
        if isinstance(listed, (list, tuple)):
            names = sorted({item for item in listed if isinstance(item, str)})
        else:
            yield from self._import_submodules(module)
            names = sorted(vars(module))
        for member in names:
            value = _read_attribute(module, member)
            if not member.startswith("_") and self._is_own(value, module):
                self._add(_Place(f"{name}.{member}", value, module))

    def _import_submodules(self, module: types.ModuleType) -> Iterator[FailedImport]:
        for found in pkgutil.iter_modules(getattr(module, "__path__", ())):
            if found.name.startswith("_") or found.name in NO_API or hasattr(module, found.name):
                continue
            name = f"{module.__name__}.{found.name}"
            try:
                import_package(name, source=self.source)
            except UnknownPackageError as error:
                yield FailedImport(name, error.fields["reason"])

    def _open_class(self, name: str, cls: type) -> None:
        """Queue the members of a class: its own, and those of its bases that are not public themselves."""
        names: dict[str, Any] = {}
        for base in cls.__mro__:
            if base is not cls and (not self._is_own(base, None) or id(base) in self.public):
                continue
            for member, value in vars(base).items():
                if not member.startswith("_"):
                    names.setdefault(member, value)
        for member, value in names.items():
            self.queue.append(_Place(f"{name}.{member}", self._member_value(cls, member, value), cls))

    def _member_value(self, cls: type, member: str, value: Any) -> Any:
        if isinstance(value, (staticmethod, classmethod)):
            return _read_attribute(cls, member)
        if inspect.isdatadescriptor(value) or inspect.isroutine(value) or isinstance(value, type):
            return value
        bound = _read_attribute(cls, member)
        return bound if isinstance(bound, type) and self._is_own(bound, None) else value

    def _add(self, place: _Place) -> None:
        """Queue a module member unless it is known under a shorter name; functions are told apart by identity."""
        if isinstance(place.value, (types.ModuleType, type)) or not callable(place.value):
            self.queue.append(place)
        elif id(place.value) not in self.seen:
            self.seen[id(place.value)] = place.value
            self.queue.append(place)

    def _is_own(self, value: Any, module: types.ModuleType | None) -> bool:
        name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        if not isinstance(name, str):
            name = getattr(type(value), "__module__", "")
        return name == self.root or name.startswith(f"{self.root}.")

    def _namespace_of(self, value: property) -> type | None:
        """Return the class of an accessor such as `Expr.str`: its own package's, named in the return annotation, not public."""
        function = inspect.unwrap(value.fget) if callable(value.fget) else None
        annotation = getattr(function, "__annotations__", {}).get("return")
        if isinstance(annotation, str):
            annotation = getattr(function, "__globals__", {}).get(annotation.strip("'\""))
        if isinstance(annotation, type) and self._is_own(annotation, None) and id(annotation) not in self.public:
            return annotation
        return None


def _read_attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except Exception:  # a lazy attribute may do anything, and one that fails is no public object
        return None


def _describe(place: _Place) -> PublicObject | None:
    """Return what there is to say about a value, or None for a plain value (a constant has no documentation of its own)."""
    value, name = place.value, place.name
    if isinstance(value, types.ModuleType):
        return PublicObject(name, "module", name, _clean(value.__doc__))
    if isinstance(value, type):
        return PublicObject(name, "class", _signature(name, value, skip_first=False), _clean(value.__dict__.get("__doc__")))
    if inspect.isroutine(value):
        is_method = isinstance(place.owner, type)
        bound = (
            inspect.ismethod(value)
            or not is_method
            or isinstance(inspect.getattr_static(place.owner, _last(name), None), staticmethod)
        )
        kind = "method" if is_method else "function"
        return PublicObject(name, kind, _signature(name, value, skip_first=not bound), _clean(inspect.getdoc(value)))
    if inspect.isdatadescriptor(value) or hasattr(type(value), "__get__"):
        return PublicObject(name, "property", _property_signature(name, value), _clean(getattr(value, "__doc__", None)))
    return _describe_instance(place)


def _describe_instance(place: _Place) -> PublicObject | None:
    """Describe an object such as `polars.col` or a NumPy ufunc: its own documentation, or that of its private class."""
    value, cls = place.value, type(place.value)
    own = getattr(value, "__doc__", None) if cls.__module__ not in ("builtins", "typing", "types") else None
    if not isinstance(own, str) or isinstance(place.owner, type) or not callable(value) and own == cls.__doc__:
        return None
    kind = "function" if callable(value) else "attribute"
    signature = _signature(place.name, cls.__call__, skip_first=True) if callable(value) else place.name
    return PublicObject(place.name, kind, signature, _clean(own))


def _clean(docstring: Any) -> str:
    return inspect.cleandoc(docstring).strip() if isinstance(docstring, str) else ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _property_signature(name: str, value: Any) -> str:
    annotations = getattr(getattr(value, "fget", None) or getattr(value, "func", None), "__annotations__", {})
    returns = annotations.get("return")
    return f"{name} -> {_annotation(returns)}" if returns is not None else name


def _signature(name: str, value: Any, *, skip_first: bool) -> str:
    """Render a call as users write it, `self` left out; without parameters in sight, just the name."""
    try:
        signature = inspect.signature(value)
    except Exception:  # C functions have none, and a broken __signature__ may raise anything
        return name
    parameters = [_plain(parameter) for parameter in signature.parameters.values()]
    if skip_first and parameters and parameters[0].kind in (parameters[0].POSITIONAL_ONLY, parameters[0].POSITIONAL_OR_KEYWORD):
        parameters = parameters[1:]
    returns = signature.return_annotation
    arrow = "" if returns is signature.empty else f" -> {_annotation(returns)}"
    return f"{name}{signature.replace(parameters=parameters, return_annotation=signature.empty)}{arrow}"


class _Verbatim(NamedTuple):
    text: str

    def __repr__(self) -> str:
        return self.text


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    default, annotation = parameter.default, parameter.annotation
    if default is not parameter.empty:
        default = _Verbatim(_default(default))
    if annotation is not parameter.empty:
        annotation = _Verbatim(_annotation(annotation))
    return parameter.replace(default=default, annotation=annotation)


def _default(value: Any) -> str:
    """Render a default so that two runs agree: no addresses, sets in order."""
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(_default, value))) + "}"
    try:
        return _ADDRESS.sub("", repr(value))[:200]
    except Exception:  # repr of foreign objects may raise anything
        return f"<{type(value).__name__}>"


def _annotation(value: Any) -> str:
    text = value if isinstance(value, str) else inspect.formatannotation(value)
    return _ADDRESS.sub("", text)
