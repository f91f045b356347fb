"""No training on rows that break an expectation of severity critical, whoever starts it and whatever the event log says.

A blocking check holds back what follows it in its own run only. So the suite of the very rows that a model is about to learn is
evaluated once more, before its training starts.
"""

from assets.recipe import Recipe
from curation.errors import QualityGateError
from curation.home import Home
from curation.quality.flatten import flatten_table
from curation.quality.gallery import TableName
from curation.quality.suites import run_suite
from training.config import TrainingData

CORPUS = "dapt_corpus"


def suite_table(recipe: Recipe, data: TrainingData) -> TableName | None:
    """Return the table whose suite is about a data set (of a corpus: its documents); None if the recipe has no such suite."""
    from assets.checks import ASSET_OF, checked_tables  # there are checks on models, which come through here

    asset = "documents" if data.dataset == CORPUS else data.dataset
    return next((table for table in checked_tables(recipe) if ASSET_OF.get(table, table) == asset), None)


def pass_quality_gate(recipe: Recipe, home: Home, data: TrainingData) -> None:
    """Let training start only if the rows keep every expectation of severity critical.

    Raises:
        QualityGateError: naming the first one that is broken, or that cannot be evaluated.
    """
    from assets.checks import read_checked_table

    table = suite_table(recipe, data)
    suite = [item for item in recipe.quality.suite(table) if item.severity == "critical"] if table is not None else []
    if table is None or not suite:
        return
    for outcome in run_suite(suite, flatten_table(table, read_checked_table(recipe, home.store(), table))):
        if not outcome.passed:
            raise QualityGateError(table=table, check=outcome.name, detail=outcome.detail)
