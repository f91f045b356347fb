r"""Rules for answers that should be JSON or Python and do not parse.

check_json(view_of(question="Answer only with JSON.", answer='{"a": 1,}'), RuleConfig())    Problem("broken_json", ...)
check_python(view_of(answer="```python\ndef f(:\n```"), RuleConfig())    Problem("broken_python", ...)
"""

import ast
import json
import re
import threading
import warnings

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

MAX_PARSED_CHARS = 100_000
_MAX_DEPTH = 60

_JSON_ONLY = re.compile(
    r"(?:only|just|exactly|strictly|valid|well-formed|single|one|a|an)\s+(?:\w+\s+){0,2}json\b(?!\s*(?:file|column|parser|librar|string\s+to|data\s+to))"
    r"|\b(?:as|in)\s+(?:valid\s+|pure\s+)?json\b",
    re.IGNORECASE,
)
_JSON_VERB = re.compile(
    r"\b(?:answer|reply|respond|return|output|give|produce|format|write your (?:answer|reply|response))\b", re.IGNORECASE
)
_JSON_ELISION = re.compile(r"\.\.\.|\u2026|//|/\*|<[a-z_ ]+>|#|\{\{|\{%|\A\s*[{\[]?\s*\Z")
_PYTHON_LANGUAGES = frozenset({"python", "py", "python3"})
_PYTHON_START = re.compile(
    r"(?:def \w+\(.*\) ?(?:->.{1,80})?:|import \w[\w., ]*|from [\w.]+ import .+|class \w+(?:\(.{0,200}\))?:)\s*$", re.MULTILINE
)
_SHELL_OR_DOCTEST = re.compile(r"^\s*(?:>>> |\.\.\. |\$ |[%!]\w|In \[\d+\]|Traceback )", re.MULTILINE)
_ELISION = re.compile(r"^\s*(?:\.\.\.|\u2026)\s*\S", re.MULTILINE)
_PYTHON_2 = re.compile(r"^\s*(?:print\s+[\"'\w]|exec\s+[\"'\w]|raise \w+, |except \w+, \w+:)", re.MULTILINE)
_PLACEHOLDER = re.compile(r"<[a-zA-Z_][\w -]{0,40}>|\{\{|\{%")
_SENTENCE = re.compile(r"^[A-Z][a-z]{0,20}(?: [\w'\u2019,-]{1,40}){4}", re.MULTILINE)
_lock = threading.Lock()


def check_tool_call(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a call of a tool without a name or whose arguments are no JSON object."""
    for call in view.tool_calls:
        if not call.name.strip():
            return Problem("broken_tool_call", "The answer calls a tool without a name.")
        if (problem := json_problem(call.arguments or "{}")) is not None:
            return Problem("broken_tool_call", f"The arguments for {call.name[:60]!r} are not JSON: {problem}.")
        if not (call.arguments or "{}").lstrip().startswith("{"):
            return Problem("broken_tool_call", f"The arguments for {call.name[:60]!r} are not a JSON object.")
    return None


def check_json(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer that does not parse where JSON is the whole answer and was asked for, and fenced JSON that is broken."""
    if not view.answer or view.kind == "document":
        return None
    for language, content in view.fences:
        if language == "json" and not _JSON_ELISION.search(content) and (problem := json_problem(content)):
            return Problem("broken_json", f"A fenced block is not JSON: {problem}.")
    answer = view.answer.strip()
    if answer[:1] in "{[" and _wants_json(view) and (problem := json_problem(answer)):
        return Problem("broken_json", f"The answer is not the JSON that was asked for: {problem}.")
    return None


def check_python(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject fenced Python that does not parse, and an answer that is a bare Python module and does not parse.

    Doctests, shell lines, Python 2, elisions and placeholders are not judged.
    """
    if not view.answer or view.kind == "document":
        return None
    blocks = [content for language, content in view.fences if language.split(" ")[0] in _PYTHON_LANGUAGES]
    if not view.fences and _is_python_module(view):
        blocks = [view.answer] if python_problem(_before_prose(view.answer)) else []
    for block in blocks:
        if (problem := python_problem(block)) is not None:
            return Problem("broken_python", f"The Python code does not parse: {problem}.")
    return None


def json_problem(text: str) -> str | None:
    """Return why a text is not JSON, or None if it is, or if it is too large or too deep to say."""
    if len(text) > MAX_PARSED_CHARS:
        return None
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"{error.msg} at character {error.pos}"
    except (RecursionError, ValueError):
        return None
    return None


def python_problem(text: str) -> str | None:
    """Return why a text is not Python of this interpreter's version, or None if it is or cannot be judged."""
    if len(text) > MAX_PARSED_CHARS or _SHELL_OR_DOCTEST.search(text) or _ELISION.search(text) or _PYTHON_2.search(text):
        return None
    if _PLACEHOLDER.search(text) or _is_deep(text):
        return None
    error = _syntax_error(text)
    if error is None or _syntax_error(_dedent(text)) is None:
        return None
    return f"{error.msg} (line {error.lineno})"


def _syntax_error(text: str) -> SyntaxError | None:
    # The parser warns about odd escapes; what it warns about is not our user's business.
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError as error:
            return error
        except (RecursionError, MemoryError, ValueError):
            return None
    return None


def _is_deep(text: str) -> bool:
    """Tell whether a text nests or chains so deeply that the parser's own stack is at risk."""
    if max(map(text.count, "([{")) > _MAX_DEPTH and _depth(text) > _MAX_DEPTH:
        return True
    return (
        re.search(r"(?:[-+~]\s?){60}|(?:\bnot\s){60}|(?:[.*+/-]\s?\w{1,40}\s?){1500}|(?:\blambda\b[^\n]{0,20}:\s?){60}", text)
        is not None
    )


def _depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _dedent(text: str) -> str:
    lines = text.split("\n")
    widths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    return "\n".join(line[min(widths, default=0) :] for line in lines)


def _wants_json(view: TextView) -> bool:
    for text in (view.system, view.question):
        if "json" in text.lower() and _JSON_ONLY.search(text[-8_000:]) and _JSON_VERB.search(text[-8_000:]):
            return True
    return False


def _before_prose(text: str) -> str:
    """Return the code before the first sentence at a line's start: people explain below what they wrote."""
    found = _SENTENCE.search(text)
    return text[: found.start()] if found else text


def _is_python_module(view: TextView) -> bool:
    if "python" not in view.bare_question[:8_000]:
        return False
    first = view.answer.lstrip().split("\n", 1)[0]
    return _PYTHON_START.match(first) is not None and len(first) < 300
