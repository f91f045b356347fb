"""Loading a recipe: YAML in, one typed and checked `Recipe` out, or one sentence that names file, line, value and cure.

    recipe = load_recipe(Path("recipes/sdk_assistant.yaml"))

Everything is refused before anything runs: unknown keys (with the nearest valid name), wrong types, repeated keys,
impossible combinations.
"""

import dataclasses
import difflib
import functools
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from assets.recipe import RECIPES, Recipe
from curation.errors import ConfigError, RecipeError

Path_ = tuple[str | int, ...]
MAX_RECIPE_BYTES = 1_000_000
MAX_VALUES = 100_000


@functools.cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def load_recipe(path: Path) -> Recipe:
    """Read and check one recipe file.

    Raises:
        RecipeError: with every problem found, one a line.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_RECIPE_BYTES:
            raise RecipeError(
                file=path, line=1, problem=f"the file has {len(data)} bytes; a recipe has at most {MAX_RECIPE_BYTES}"
            )
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(file=path, line=1, problem=f"the file cannot be read: {error}") from error
    value, lines = _parse_yaml(path, text)
    try:
        return _adapter().validate_json(json.dumps(value))
    except ValidationError as error:
        problems = [RecipeError(file=path, line=_line_of(lines, loc), problem=problem) for loc, problem in _problems(error)]
        if len(problems) == 1:
            raise problems[0] from None
        raise _several(problems) from None


def list_recipe_files(folder: Path = RECIPES) -> list[Path]:
    """Return the recipe files of a folder, sorted by name."""
    return sorted(folder.glob("*.yaml"))


def find_recipe_files(folder: Path = RECIPES) -> list[Path]:
    """Return the same. Raises RecipeError if there are none, so that nothing counts as fine that was not found."""
    found = list_recipe_files(folder)
    if not found:
        problem = "there is no recipe (NAME.yaml) in this folder; TUNEWRIGHT_RECIPES names another one"
        raise RecipeError(file=folder, line=1, problem=problem)
    return found


def load_recipes(folder: Path = RECIPES) -> list[Recipe]:
    """Load all recipes of a folder.

    Raises:
        RecipeError: for the first bad one, if two have the same name (it is the prefix of their assets), or if there are none.
    """
    loaded: dict[str, Path] = {}
    recipes = []
    for path in find_recipe_files(folder):
        recipe = load_recipe(path)
        if recipe.name in loaded:
            raise RecipeError(
                file=path, line=1, problem=f"'name' is '{recipe.name}' as in {loaded[recipe.name]}; choose another"
            )
        loaded[recipe.name] = path
        recipes.append(recipe)
    return recipes


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe given by path, or by name among the shipped ones.

    Raises:
        RecipeError: if there is neither.
    """
    if Path(name_or_path).suffix in (".yaml", ".yml") or Path(name_or_path).is_file():
        return Path(name_or_path)
    names = [path.stem for path in find_recipe_files()]
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(names)}"
        raise RecipeError(file=RECIPES / f"{name_or_path}.yaml", line=1, problem=f"no such recipe; {hint}")
    return RECIPES / f"{name_or_path}.yaml"


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe (editors complete and check it; see recipes/recipe.schema.json)."""
    schema = _adapter().json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _several(problems: list[RecipeError]) -> RecipeError:
    first = problems[0]
    error = RecipeError(**first.fields)
    error.args = ("\n".join(str(problem) for problem in problems),)
    return error


# -- YAML with line numbers -------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """SafeLoader that keeps dates and the like as the text that was written."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parse_yaml(path: Path, text: str) -> tuple[Any, dict[Path_, int]]:
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Path_, int] = {(): 1}
        if node is None:
            raise RecipeError(file=path, line=1, problem="the file is empty; start from recipes/sdk_assistant.yaml")
        _collect_lines(path, node, (), lines)
        value = loader.construct_document(node)
        if not isinstance(value, dict):
            raise RecipeError(file=path, line=1, problem=f"a recipe is a mapping of sections, got {type(value).__name__}")
        _check_finite(path, value, (), lines)
        json.dumps(value, allow_nan=False)
        return value, lines
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise RecipeError(file=path, line=mark.line + 1 if mark else 1, problem=f"not valid YAML: {problem}") from error
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:  # PyYAML lets these through
        raise RecipeError(file=path, line=1, problem=f"holds a value that has no place in a recipe: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _check_finite(path: Path, value: Any, at: Path_, lines: dict[Path_, int]) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        problem = f"'{_dotted(at)}' holds a value that has no place in a recipe: it must be a finite number (received {value})"
        raise RecipeError(file=path, line=_line_of(lines, at), problem=problem)
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        _check_finite(path, part, (*at, key if isinstance(key, int) else str(key)), lines)


def _collect_lines(path: Path, node: yaml.Node, at: Path_, lines: dict[Path_, int]) -> None:
    if len(at) > 32:
        raise RecipeError(file=path, line=node.start_mark.line + 1, problem="is nested too deeply")
    if len(lines) > MAX_VALUES:  # a few aliases of aliases stand for billions
        raise RecipeError(file=path, line=node.start_mark.line + 1, problem=f"holds more than {MAX_VALUES} values")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*at, str(key.value))
            if place in lines:
                raise RecipeError(
                    file=path, line=key.start_mark.line + 1, problem=f"the key '{key.value}' stands here a second time"
                )
            lines[place] = key.start_mark.line + 1
            _collect_lines(path, value, place, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            _collect_lines(path, value, (*at, index), lines)


def _line_of(lines: dict[Path_, int], loc: Path_) -> int:
    while loc not in lines and loc:
        loc = loc[:-1]
    return lines.get(loc, 1)


# -- pydantic's errors in our words -----------------------------------------------------------------------------------


def _problems(error: ValidationError) -> list[tuple[Path_, str]]:
    return [_problem(dict(item)) for item in error.errors()]


def _problem(item: dict[str, Any]) -> tuple[Path_, str]:
    loc: Path_ = tuple(item["loc"])
    dotted = _dotted(loc)
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        if moved := _moved(loc, item["input"]):
            return loc, moved
        return loc, f"unknown key '{dotted}' (received {_short(item['input'])}){_nearest(loc)}"
    if item["type"] in ("missing", "missing_argument"):
        return loc, f"'{dotted}' is required"
    if item["type"] == "json_invalid":
        return loc, "holds text that is not Unicode (half of a surrogate pair)"
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):
        inner: list[str | int] = [int(part) if part.isdigit() else part for part in str(cause.fields["path"]).split(".")]
        place = (*loc, *inner[_num_shared(loc, inner) :])
        return place, f"'{_dotted(place)}' {cause.fields['problem']} (received {_short(cause.fields['value'])})"
    message = item["msg"][0].lower() + item["msg"][1:]
    near = _nearest_value(item)
    return loc, f"'{dotted}': {message} (received {_short(item['input'])}){near}"


def _num_shared(loc: Path_, inner: list[str | int]) -> int:
    """Return how many parts of a path say again where its section stands: sections name their own keys from the top or not."""
    names = [part for part in loc if isinstance(part, str)]
    return next((num for num in range(min(len(names), len(inner)), 0, -1) if names[-num:] == inner[:num]), 0)


MOVED = {"dapt": "dapt", "sft": "sft", "preference": "dpo"}
"""Sections that `training` had, and the method of the stage that stands for each now."""


def _moved(loc: Path_, value: Any) -> str:
    """Return what to write instead of a key that a recipe had once; empty if it never was one."""
    if len(loc) != 2 or loc[0] != "training" or loc[1] not in MOVED:
        return ""
    keys = value if isinstance(value, dict) else {}
    tuning = f", tuning: {keys['method']}" if keys.get("method") in ("full", "lora") else ""
    return (
        f"'training.{loc[1]}' is an entry of the list `training.stages` now: "
        f"write `stages: [{{method: {MOVED[str(loc[1])]}{tuning}, ...}}]` (what was `method` is `tuning`; "
        "`beta` stands under `preference`)"
    )


def _dotted(loc: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".") or "recipe"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _nearest(loc: Path_) -> str:
    names = _field_names_at(loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), names, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; valid keys are {', '.join(names)}" if names else ""


def _nearest_value(item: dict[str, Any]) -> str:
    if item["type"] != "literal_error" or not isinstance(item["input"], str):
        return ""
    options = [option.strip("' ") for option in item["ctx"]["expected"].replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(item["input"], options, n=1, cutoff=0.4)
    return f"; did you mean '{near[0]}'?" if near else ""


def _field_names_at(loc: Path_) -> list[str]:
    hint: Any = Recipe
    for part in loc:
        hint = _step(hint, part)
    hint = _dataclass_in(hint)
    return [field.name for field in dataclasses.fields(hint)] if hint else []


def _step(hint: Any, part: str | int) -> Any:
    cls = _dataclass_in(hint)
    if cls is not None and isinstance(part, str):
        return typing.get_type_hints(cls).get(part)
    arguments = [argument for argument in typing.get_args(_without_none(hint)) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next((argument for argument in typing.get_args(hint) if argument is not type(None)), None)
    return hint


def _dataclass_in(hint: Any) -> Any:
    hint = _without_none(hint)
    return hint if isinstance(hint, type) and dataclasses.is_dataclass(hint) else None
