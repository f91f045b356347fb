"""Reading what a browser sends: form fields, the reviewer's name, the page to return to. All of it is hostile.

read_form(b"decision=approve&token=51...", "application/x-www-form-urlencoded")     {"decision": "approve", ...}
"""

from urllib.parse import parse_qsl, quote, unquote

from curation.errors import VerdictRefusedError
from curation.review.chain import MAX_REVIEWER_CHARS, Vote

MAX_FIELDS = 20
COOKIE = "reviewer"

REASONS = {
    "wrong": "The answer is wrong",
    "ungrounded": "The source does not support it",
    "format": "The format is not what was asked for",
    "unclear": "The question is unclear or makes no sense",
    "private": "It holds private or harmful content",
    "other": "Something else (say what)",
}
"""Reason code -> what the page says."""


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a URL-encoded form, with line ends as in the data (browsers send CR LF).

    Raises:
        VerdictRefusedError: if it is no such form, or has too many fields.
    """
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise VerdictRefusedError(problem="only forms of these pages are accepted.")
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise VerdictRefusedError(problem="the form has too many fields.") from error
    return {name: value.replace("\r\n", "\n") for name, value in fields}


def read_vote(form: dict[str, str], item_key: str, reviewer: str) -> Vote:
    """Return the vote that a form of the item page stands for.

    Raises:
        VerdictRefusedError: if a field is missing or makes no sense.
    """
    decision, token, expected = form.get("decision", ""), form.get("token", ""), form.get("expected", "")
    if not token or not expected.isdecimal() or not expected.isascii() or len(expected) > 9:
        raise VerdictRefusedError(problem="the form is not complete. Load the item again.")
    return Vote(
        item_key=item_key,
        decision=decision,  # type: ignore[arg-type]  # the queue checks it against the kind of the item
        reviewer=reviewer,
        reason=_read_reason(form) if decision == "reject" else "",
        edited_answer=form.get("edited_answer", "") if decision == "edit" else "",
        token=token[:64],
        expected=int(expected),
    )


def _read_reason(form: dict[str, str]) -> str:
    code, comment = form.get("reason", ""), form.get("comment", "").strip()
    if code not in REASONS:
        raise VerdictRefusedError(problem="choose why the answer is rejected.")
    if code == "other" and not comment:
        raise VerdictRefusedError(problem="say in a few words what is wrong.")
    return f"{code}: {comment}" if comment else code


def read_name(name: str) -> str:
    """Return a reviewer's name as it is recorded; empty if it cannot be one."""
    name = " ".join(name.split())
    usable = name.isprintable() and len(name) <= MAX_REVIEWER_CHARS and not name.startswith("automatic:")
    return name if usable else ""


def pack_name(name: str) -> str:
    """Return a name as a cookie value."""
    return quote(name, safe="")


def unpack_name(cookie: str) -> str:
    """Return the name in a cookie; empty if there is none that can be used."""
    return read_name(unquote(cookie[: MAX_REVIEWER_CHARS * 12]))


def read_return_path(path: str) -> str:
    """Return a path on this server; `/` for anything that could lead elsewhere."""
    local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if local else "/"
