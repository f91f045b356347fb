"""Whether a row carries the whole lineage that its origin demands (DESIGN.md, section 3).

missing_fields(row) == ()                           everything is there
missing_fields(row) == ("request_ids", "license")   it was made by a model, but not said by which call

What is demanded: every row has a key, an origin, a method, a group, a depth and its terms (a licence or output terms, or the
verdict on them: `unknown` is an answer too). A row that a model made has what it rests on (spans of documents, or parents),
and one made from rows, its parents. If a teacher was asked, the request ids, the template's id and hash, the teacher, its
revision where it has one, and the sampling parameters. A row that a rule drew from a template has the template. Votes, where
there are any, have a judge, a score in range and a reason.
"""

import json
import math
from typing import Any

from curation.records import Example, PreferencePair, Provenance, SourceSpan, UnpairedPreference, VerifiableTask

Row = Example | PreferencePair | UnpairedPreference | VerifiableTask
FROM_NOTHING = ("self_instruct", "magpie", "tool_calls", "verifiable")
"""Methods that invent rows: those made neither from a document nor from a row have no source but the teacher or a template."""


def missing_fields(row: Row) -> tuple[str, ...]:
    """Return the names of the fields that a row should have and has not, none if it is complete."""
    origin = row.provenance
    needed = {
        "key": bool(row.key),
        "group": bool(row.group),
        "origin": origin.origin in ("human", "synthetic"),
        "method": bool(origin.method),
        "license": bool(origin.license or origin.output_terms or origin.terms_verdict),
        "spans": all(map(_is_span, origin.spans)),
        "votes": all(vote.judge and vote.reason and math.isfinite(vote.score) for vote in origin.votes),
        "generation_depth": origin.generation_depth >= 0,
        "sampling": _is_json_object(origin.sampling),
    }
    if origin.origin == "synthetic":
        _demand_synthetic(origin, needed)
    elif origin.method in ("edit", "preference"):
        needed["parents"] = bool(origin.parents)
    return tuple(name for name, is_there in needed.items() if not is_there)


def _demand_synthetic(origin: Provenance, needed: dict[str, bool]) -> None:
    has_source = bool(origin.spans or origin.parents) or origin.method in FROM_NOTHING
    needed["spans"] &= has_source
    needed["generation_depth"] = origin.generation_depth >= 1
    needed["parents"] = all(origin.parents) and (bool(origin.parents) or origin.generation_depth <= 1)
    needed["template_id"] = bool(origin.template_id) or _is_derived(origin)
    needed["template_hash"] = bool(origin.template_hash) or _is_derived(origin)
    if origin.teacher or origin.request_ids:
        needed["request_ids"] = bool(origin.request_ids) and all(origin.request_ids)
        needed["teacher"] = bool(origin.teacher)
    else:  # a rule drew it from a template, or made it of another row
        needed["teacher"] = _is_derived(origin) or bool(origin.template_id)


def _is_derived(origin: Provenance) -> bool:
    """Tell whether a rule made the row of other rows, without asking: a pair with a damaged answer, for example."""
    return bool(origin.parents) and not origin.request_ids


def _is_span(span: SourceSpan) -> bool:
    return bool(span.document_key and span.document_hash) and 0 <= span.start <= span.end


def _is_json_object(text: str) -> bool:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)
