"""Bad recipes end in one sentence with file, line, value and cure; nothing else ever escapes."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assets.recipe import RECIPES, Recipe
from curation.errors import RecipeError
from pipelines.recipe import find_recipe, list_recipe_files, load_recipe, load_recipes, recipe_schema
from tests.pipelines.toy_recipe import TOY, write_toy

SECTIONS = list(yaml.safe_load(TOY)) + ["teacher", "curate", "quality", "review", "evaluation", "release", "schedule"]


def refusal(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    return str(caught.value)


def refuse_text(folder: Path, text: str | bytes) -> str:
    path = folder / "toy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return refusal(path).removeprefix(f"{path}:")


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if part in line)


def test_valid_recipe_is_loaded_with_its_values(tmp_path: Path) -> None:
    recipe = load_recipe(write_toy(tmp_path, "description: 2026-01-01\n"))
    assert (recipe.name, recipe.owner, recipe.description) == ("toy", "team:toys", "2026-01-01")
    assert recipe.sources[0].shards == 4
    assert recipe.training.model_names == ("base_model", "sft_model")
    assert recipe.asset("sft_model") == "toy/sft_model"
    assert recipe.source_of("docs-0of4") is recipe.sources[0]


def test_unknown_key_names_line_value_and_nearest_key(tmp_path: Path) -> None:
    text = TOY + "reviw: {policy: none}\n"
    assert refuse_text(tmp_path, text).startswith(f"{line_of(text, 'reviw')}: unknown key 'reviw'")
    assert "did you mean 'review'?" in refusal(tmp_path / "toy.yaml")
    assert "{'policy': 'none'}" in refusal(tmp_path / "toy.yaml")


def test_unknown_key_without_a_near_one_lists_the_valid_ones(tmp_path: Path) -> None:
    message = refuse_text(tmp_path, TOY + "teacher: {xyzzy: 1}\n")
    assert "'teacher.xyzzy'" in message
    assert "valid keys are kind, model, base_url" in message


def test_typo_in_a_list_item_names_the_item_and_the_nearest_key(tmp_path: Path) -> None:
    text = TOY.replace("kind: files", "knd: files")
    message = refuse_text(tmp_path, text)
    assert "unknown key 'sources[0].knd' (received 'files'); did you mean 'kind'?" in message
    assert f":{line_of(text, 'knd')}: " in message


def test_typo_in_a_literal_names_the_nearest_value(tmp_path: Path) -> None:
    text = TOY + "teacher:\n  kind: extractve\n"
    message = refuse_text(tmp_path, text)
    assert message.startswith(f"{line_of(text, 'extractve')}: 'teacher.kind'")
    assert "(received 'extractve'); did you mean 'extractive'?" in message


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("name: toy", "name: 12", ["1: 'name'", "string", "(received 12)"]),
        ("shards: 4", "shards: four", ["'sources[0].shards'", "(received 'four')"]),
        ("shards: 4", "shards: '4'", ["'sources[0].shards'", "(received '4')"]),
        ("max_steps: 1", "max_steps: 1.5", ["'training.stages[0].max_steps'", "(received 1.5)"]),
        ("{method: sft, max_steps: 1}", "[1]", ["'training.stages[0]'", "(received [1])"]),
        ("max_steps: 1", "epochs: -1.0", ["'training.stages[0].epochs' must lie in", "(received -1.0)"]),
        ("max_steps: 1", "lora: {rank: 0}", ["'training.stages[0].lora.rank' must be at least 1"]),
        (
            "max_steps: 1",
            "preference: {}",
            ["'training.stages[0].preference' has no effect for method 'sft'", "counts for dpo"],
        ),
        ("method: sft", "method: stf", ["'training.stages[0].method'", "did you mean 'sft'?"]),
        ("name: toy", "name: Toy!", ["'name' must be lower-case", "(received 'Toy!')"]),
        ("team:toys", "nobody", ["'owner' must be an e-mail address", "(received 'nobody')"]),
        ("name: toy", "name: toy\nschedule: at noon", ["2: 'schedule' must be a cron line", "(received 'at noon')"]),
        (
            "stages:\n    - {method: sft, max_steps: 1}",
            "base: {num_heads: 0}",
            ["'training.base.num_heads' must be at least 1", "(received 0)"],
        ),
    ],
)
def test_wrong_value_is_shown(tmp_path: Path, old: str, new: str, parts: list[str]) -> None:
    assert old in TOY
    message = refuse_text(tmp_path, TOY.replace(old, new))
    for part in parts:
        assert part in message


@pytest.mark.parametrize("owner", ["a@", "team:", "@", "a b@c.de"])
def test_owner_that_dagster_would_refuse_is_refused_here(tmp_path: Path, owner: str) -> None:
    assert "'owner' must be" in refuse_text(tmp_path, TOY.replace("team:toys", f'"{owner}"'))


def test_missing_key_is_named(tmp_path: Path) -> None:
    assert "'name' is required" in refuse_text(tmp_path, TOY.replace("name: toy\n", ""))
    assert "'sources[0].kind' is required" in refuse_text(tmp_path, TOY.replace("kind: files, ", ""))


def test_repeated_key_names_the_second_line(tmp_path: Path) -> None:
    text = TOY + "name: again\n"
    assert refuse_text(tmp_path, text).startswith(f"{line_of(text, 'again')}: the key 'name' stands here a second time")
    nested = TOY.replace("shards: 4", "shards: 4, shards: 5")
    assert "the key 'shards' stands here a second time" in refuse_text(tmp_path, nested)


def test_preference_tuning_without_pairs_is_refused_with_its_line(tmp_path: Path) -> None:
    text = TOY + "    - {method: dpo, max_steps: 1}\n"
    message = refuse_text(tmp_path, text)
    assert message.startswith(f"{line_of(text, 'dpo')}: 'training.stages[1]'")
    assert "generate.pairs" in message


def test_two_models_of_one_name_are_refused_with_the_line_of_the_second(tmp_path: Path) -> None:
    text = TOY + "    - {method: sft, epochs: 1.0}\n"
    message = refuse_text(tmp_path, text)
    assert message.startswith(f"{line_of(text, 'epochs')}: 'training.stages[1].name' gives a second model the name 'sft_model'")


@pytest.mark.parametrize(("section", "method"), [("dapt", "dapt"), ("sft", "sft"), ("preference", "dpo")])
def test_a_section_of_old_is_refused_with_what_to_write(tmp_path: Path, section: str, method: str) -> None:
    text = TOY.replace("  stages:\n    - {method: sft, max_steps: 1}", f"  {section}: {{method: full, epochs: 1}}")
    message = refuse_text(tmp_path, text)
    assert message.startswith(
        f"{line_of(text, section + ':')}: 'training.{section}' is an entry of the list `training.stages` now"
    )
    assert f"`stages: [{{method: {method}, tuning: full, ...}}]`" in message
    assert "\n" not in message


def test_recipe_that_has_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    assert "'generate' needs a method" in refuse_text(
        tmp_path, TOY.replace("  grounded_qa: {questions_per_document: 1}", "  seed: 1")
    )
    only_people = TOY.replace("kind: files,", "kind: files, role: demonstrations,")
    assert "needs a source with role documents" in refuse_text(tmp_path, only_people)


def test_several_problems_are_all_reported_one_a_line(tmp_path: Path) -> None:
    text = TOY.replace("name: toy", "name: 1") + "evalution: {}\nteacher: {kind: robot}\n"
    lines = [f"{tmp_path / 'toy.yaml'}:", *refuse_text(tmp_path, text).splitlines()]
    assert len(lines) == 4
    for part in ("'name'", "did you mean 'evaluation'?", "'teacher.kind'"):
        assert sum(part in line for line in lines) == 1


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "1: the file is empty"),
        (b"# only a comment\n", "1: the file is empty"),
        (b"- a\n- b\n", "1: a recipe is a mapping of sections, got list"),
        (b"just text", "got str"),
        (b"name: toy\nsources: [\n", "not valid YAML"),
        (b"name: toy\n\tsources: 1\n", "2: not valid YAML"),
        (b"name: 'toy\xff'", "1: the file cannot be read: 'utf-8'"),
        (b"name: a\x07b", "not valid YAML: unacceptable character"),
        (b"name: a\n---\nname: b\n", "2: not valid YAML"),
        (b'name: "\\ud800"', "half of a surrogate pair"),
        (b"name: .nan", "no place in a recipe"),
        (b"name: !!bool toy", "no place in a recipe"),
        (b"name: !!timestamp toy", "no place in a recipe"),
        (b"name: !!int ''", "no place in a recipe"),
        (b"name: !!binary aGk=", "no place in a recipe"),
        (b"name: !!python/object/apply:os.getcwd []", "not valid YAML"),
        (b"a: &a [*a]", "nested too deeply"),
        (b"[" * 40 + b"]" * 40, "nested too deeply"),
        (b"name: " + b"a" * 1_000_001, "bytes; a recipe has at most"),
    ],
)
def test_file_that_is_no_recipe_is_refused(tmp_path: Path, data: bytes, part: str) -> None:
    assert part in refuse_text(tmp_path, data)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (
            "release:\n  alpha: 0.01\n  max_p95_latency_s: .nan\n",
            ":12: 'release.max_p95_latency_s' holds a value that has no place",
        ),
        ("release:\n  guards: [{metric: exact_match, margin: -.inf}]\n", ":11: 'release.guards[0].margin' holds a value"),
        ("release:\n  mirrors: {hub: ../x}\n", ":11: 'release.mirrors.hub' must have the form OWNER/NAME"),
        ("release:\n  handover: {max_items: 0}\n", "'release.handover.max_items' must be at least 1"),
        ("release:\n  guards: [{metric: exact_match, margin: 2}]\n", "'release.guards[0].margin' must lie in (0, 1)"),
        ("release:\n  exports: {merged: false, ollama: false, adapter: false}\n", "'release.exports' must ask for one form"),
        ("release: {champion_margin: 2}\n", ":10: 'release.champion_margin' must lie in [0, 1)"),
    ],
)
def test_a_value_is_named_once_and_with_its_line(tmp_path: Path, section: str, told: str) -> None:
    assert told in refusal(write_toy(tmp_path, section))


def test_aliases_of_aliases_do_not_eat_the_machine(tmp_path: Path) -> None:
    text = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    text += "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert "holds more than" in refuse_text(tmp_path, text)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.yaml")
    assert "cannot be read" in refusal(tmp_path)


def is_loaded_or_refused(folder: Path, data: bytes) -> bool:
    """Tell whether a file is a recipe, or refused with its name and a reason."""
    path = folder / "any.yaml"
    path.write_bytes(data)
    try:
        return isinstance(load_recipe(path), Recipe)
    except RecipeError as error:
        return len(str(error).partition(str(path))[2]) > 5


ANY_KEY = st.sampled_from([*SECTIONS, "kind", "role", "base", "sft", "routing", "routes", "suites"]) | st.text(max_size=5)
ANY_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.dates()
    | st.datetimes()
)
ANY_VALUE = st.recursive(
    ANY_SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_KEY | ANY_SCALAR, inner, max_size=4),
    max_leaves=12,
)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    assert is_loaded_or_refused(tmp_path_factory.getbasetemp(), data)


@given(
    text=st.lists(
        st.sampled_from(
            [
                "name:",
                "- ",
                "? ",
                "!!int",
                "!!set",
                "!!omap",
                "!!null",
                "&a ",
                "*a",
                "<<: ",
                "{",
                "}",
                "[",
                "]",
                "x",
                "\n",
                "\n  ",
                " ",
                ": ",
                "|",
                ">",
                "'",
                '"',
                "%TAG",
                "---",
            ]
        ),
        max_size=25,
    ).map("".join)
)
def test_any_yaml_syntax_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    assert is_loaded_or_refused(tmp_path_factory.getbasetemp(), text.encode())


@given(value=ANY_VALUE | st.dictionaries(ANY_KEY, ANY_VALUE, max_size=4).map(lambda extra: {**yaml.safe_load(TOY), **extra}))
def test_any_value_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    data = yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
    assert is_loaded_or_refused(tmp_path_factory.getbasetemp(), data)


def test_recipes_with_one_name_are_refused_together(tmp_path: Path) -> None:
    for name in ("first.yaml", "second.yaml"):
        (tmp_path / name).write_text(TOY)
    with pytest.raises(RecipeError, match=r"second\.yaml:1: 'name' is 'toy' as in .*first\.yaml"):
        load_recipes(tmp_path)


def test_recipe_is_found_by_name_or_path(tmp_path: Path) -> None:
    assert find_recipe("sdk_assistant") == RECIPES / "sdk_assistant.yaml"
    assert find_recipe(str(tmp_path / "x.yml")) == tmp_path / "x.yml"
    with pytest.raises(RecipeError, match="did you mean 'sdk_assistant'"):
        find_recipe("sdk_asistant")
    with pytest.raises(RecipeError, match="there are: .*sdk_assistant"):
        find_recipe("zzz")


def test_shipped_recipes_load_under_the_name_of_their_file() -> None:
    files = list_recipe_files()
    assert RECIPES / "sdk_assistant.yaml" in files
    assert [recipe.name for recipe in load_recipes()] == [path.stem for path in files]


def test_checked_in_schema_is_the_current_one() -> None:
    stored = json.loads((RECIPES / "recipe.schema.json").read_text())
    assert stored == json.loads(json.dumps(recipe_schema())), "run `tunewright recipe schema --write`"


def test_schema_accepts_shipped_recipes_and_refuses_typos() -> None:
    jsonschema.Draft202012Validator.check_schema(recipe_schema())
    validator = jsonschema.Draft202012Validator(recipe_schema())
    for path in list_recipe_files():
        recipe = yaml.safe_load(path.read_text())
        assert list(validator.iter_errors(recipe)) == []
        assert not validator.is_valid({**recipe, "reviw": {}})
        assert not validator.is_valid({**recipe, "teacher": {"kind": "robot"}})
        assert not validator.is_valid({key: value for key, value in recipe.items() if key != "sources"})
