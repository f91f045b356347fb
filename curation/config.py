"""How every configuration in the project is declared: frozen, keyword-only, checked when it is built.

    @config
    class SplitConfig:
        eval_share: float = 0.15
        \"\"\"Share of the groups that are held out, 0 to 0.5.\"\"\"

        def __post_init__(self) -> None:
            check(0 < self.eval_share <= 0.5, "eval_share", "must lie in (0, 0.5]", self.eval_share)

The classes are plain dataclasses, so that training can load them where pydantic is not installed;
`pipelines.recipe` builds them from YAML through pydantic, which reads `__pydantic_config__`.
"""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

from curation.errors import ConfigError

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def config(cls: type[T]) -> type[T]:
    """Turn a class into a frozen, keyword-only dataclass whose unknown keys are errors."""
    cls.__pydantic_config__ = {"extra": "forbid", "strict": True, "use_attribute_docstrings": True}  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def check(holds: bool, path: str, problem: str, value: Any) -> None:
    """Raise a `ConfigError` that names the field and the value received unless the condition holds."""
    if not holds:
        raise ConfigError(path=path, problem=problem, value=value)


def as_plain(value: Any) -> Any:
    """Turn a configuration into dicts, lists and scalars, ready for canonical JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    return value
