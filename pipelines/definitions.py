"""The Dagster code location (see workspace.yaml): every recipe in `recipes/`."""

from pipelines.layout_guard import check_layout

check_layout()

from pipelines.compose import build_definitions  # noqa: E402
from pipelines.recipe import load_recipes  # noqa: E402

defs = build_definitions(load_recipes())
