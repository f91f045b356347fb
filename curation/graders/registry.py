"""The graders by the names that `VerifiableTask.grader` holds.

    GRADERS["number"]("#### 18", "18").is_right            True
    grade(task, "The answer is 18.").reward                1.0

Light on purpose: training and evaluation import it, and nothing here loads a model or a data library.
"""

from curation.errors import UnknownGraderError
from curation.graders.choice import grade_choice
from curation.graders.code import grade_code
from curation.graders.constraints.grading import grade_constraints
from curation.graders.exact import grade_exact
from curation.graders.grade import Grade, Grader
from curation.graders.json_schema import grade_json_schema
from curation.graders.json_value import grade_json
from curation.graders.number import grade_number
from curation.graders.pattern import grade_regex
from curation.graders.tool_call import grade_tool_call
from curation.records import VerifiableTask

GRADERS: dict[str, Grader] = {
    "number": grade_number,
    "choice": grade_choice,
    "exact": grade_exact,
    "json": grade_json,
    "regex": grade_regex,
    "json_schema": grade_json_schema,
    "tool_call": grade_tool_call,
    "constraints": grade_constraints,
    "code": grade_code,
}


def grade(task: VerifiableTask, answer: str) -> Grade:
    """Grade an answer to a task by the grader that the task names.

    Raises:
        UnknownGraderError: there is no such grader.
    """
    if task.grader not in GRADERS:
        raise UnknownGraderError(grader=task.grader, task=task.key, known=", ".join(GRADERS))
    return GRADERS[task.grader](answer, task.reference)
