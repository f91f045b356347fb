"""Whether the questions behind a comparison are those that recipe and held-out rows give: nobody picks the easy ones.

items_obstacle(recipe, home)      "" or a sentence, which holds the release back

The evidence shows that answers, scores and items fit each other. That the items are the right ones is shown here, by building
them again from `eval_set` and the files of the tasks.
"""

from assets.recipe import Recipe
from assets.task_files import read_task_data
from curation.errors import TunewrightError
from curation.home import Home
from curation.records import Example
from evaluation.records import EvalItem
from evaluation.tasks.task_items import build_items


def items_obstacle(recipe: Recipe, home: Home) -> str:
    """Return why the items answered are not to be relied on; empty if they are those that should have been asked."""
    store = home.store()
    try:
        asked = store.snapshot(recipe.asset("answers")).tables["items"].root
        held_out = store.read_table(Example, store.snapshot(recipe.asset("eval_set")).tables["examples"].root, asset="eval_set")
        wanted = store.write_table(EvalItem, build_items(recipe.evaluation, held_out, read_task_data).items).root
    except (TunewrightError, OSError, KeyError) as problem:
        return f"The items that should have been asked cannot be built: {problem}"
    if asked != wanted:
        return "The items answered are not those that the recipe and its held-out rows give now. Materialize the answers again."
    return ""
