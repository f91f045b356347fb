"""How right each answer is, by the main metric of its task.

right_values(inputs)["candidate/api/polars.Expr.str.head#routing/0"]      1.0
are_right(inputs)["candidate/api/polars.Expr.str.head#routing/0"]         True; no entry where a loss is measured
"""

from evaluation.report.inputs import ReportInputs
from evaluation.report.wording import is_share


def main_metrics(inputs: ReportInputs) -> dict[str, str]:
    """Return the main metric of each task; the main task has the release metric, if it was measured there."""
    comparison = inputs.comparison
    return {result.task: result.metric for result in comparison.tasks} | {comparison.task: comparison.metric}


def right_values(inputs: ReportInputs) -> dict[str, float]:
    """Return the value of the main metric by the key of the answer."""
    metrics = main_metrics(inputs)
    return {
        score.key.removesuffix(f"#{score.metric}"): score.value
        for score in inputs.scores
        if score.metric == metrics.get(score.task, inputs.comparison.metric)
    }


def are_right(inputs: ReportInputs) -> dict[str, bool]:
    """Return whether an answer is wholly right by its key; answers whose main metric is a loss are neither right nor wrong."""
    lossy = {task for task, metric in main_metrics(inputs).items() if not is_share(metric)}
    tasks = {answer.key: answer.task for answer in inputs.answers}
    return {key: value >= 1 for key, value in right_values(inputs).items() if tasks.get(key) not in lossy}
