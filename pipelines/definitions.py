"""The Dagster code location (see workspace.yaml): every recipe in `recipes/`."""

from pipelines.layout_guard import check_layout

check_layout()

from pipelines.compose import build_definitions  # noqa: E402
from pipelines.recipe import list_recipe_files, load_recipe  # noqa: E402

defs = build_definitions([load_recipe(path) for path in list_recipe_files()])
