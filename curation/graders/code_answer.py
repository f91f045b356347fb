r"""Finds the code in an answer, and makes a program of it and the prompt that it answers.

find_code("Sure:\n```python\ndef f():\n    return 1\n```", "f")     "def f():\n    return 1\n"
complete_code("def f():\n    '''One.'''\n", "  return 1\n", "f")     "def f():\n  return 1\n"
"""

import ast
import re
import textwrap

from curation.graders.grade import without_thoughts

_FENCE = re.compile(r"^[ \t]{0,8}```[^\n`]{0,40}\n(.*?)(?:^[ \t]{0,8}```|\Z)", re.MULTILINE | re.DOTALL)


def find_code(answer: str, entry_point: str) -> str:
    """Return the last fenced block that defines the entry point, else the last block, else all that is no reasoning."""
    text = without_thoughts(answer.replace("\r\n", "\n"))
    blocks = [
        textwrap.dedent(block) if defines(textwrap.dedent(block), entry_point) else block for block in _FENCE.findall(text)
    ]
    wanted = [block for block in blocks if entry_point and defines(block, entry_point)]
    return (wanted or blocks or [text])[-1]


def defines(code: str, name: str) -> bool:
    """Tell whether code defines a function of a name at its top level."""
    return re.search(rf"^(?:async[ ]+)?def[ ]+{re.escape(name)}[ ]*\(", code, re.MULTILINE) is not None


def complete_code(prompt: str, code: str, entry_point: str) -> str:
    """Put the prompt's imports and helpers before a whole function, or its signature before a body.

    The docstring of the prompt is left out: models indent a body as they like, and it need not agree with the docstring.
    """
    if not prompt:
        return code
    if entry_point and defines(code, entry_point):
        head = re.search(rf"^(?:async[ ]+)?def[ ]+{re.escape(entry_point)}[ ]*\(", prompt, re.MULTILINE)
        return _join(prompt[: head.start()] if head else "", code)
    first = next((line for line in code.splitlines() if line.strip()), "")
    body = textwrap.indent(code, "    ") if first and not first[0].isspace() else code
    return _join(_without_docstring(prompt), body)


def _join(before: str, after: str) -> str:
    return f"{before.rstrip()}\n{after}" if before.strip() else after


def _without_docstring(prompt: str) -> str:
    try:
        statements = ast.parse(prompt).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return prompt
    last = statements[-1] if statements else None
    if not isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef)) or ast.get_docstring(last, clean=False) is None:
        return prompt
    lines = prompt.splitlines()
    return "\n".join([*lines[: last.body[0].lineno - 1], *lines[last.body[0].end_lineno :]]) if len(last.body) == 1 else prompt
