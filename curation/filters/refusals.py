"""Rule for answers that refuse, and for replies that speak "as an AI language model" where an answer was asked for.

check_refusal(view_of(answer="I'm sorry, but I cannot help with that."), RuleConfig())    Problem("refusal", ...)

Only the first sentences of an answer are looked at, and only phrases of the first person: a row that is about refusals
or that quotes one stays. Rows with tools stay as well: to decline is right where no tool fits.
"""

import re

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

_HEAD_CHARS = 300
_APOLOGY = (
    r"(?:(?:i['\u2019]?m|i am|we['\u2019]re|we are) (?:(?:very|so|really|truly|deeply) )?(?:sorry|afraid)|i apologi[sz]e"
    r"|my apologies|apologies|sorry|unfortunately|regrettably)"
)
_VERB = (
    r"(?:assist|help|provide|fulfil?l?|comply|generate|create|produce|write|answer|respond|engage|continue|support|offer|discuss"
    r"|share|complete|do that|do this|perform|access|browse|open|view|see|process|participate|give|make|recommend|suggest"
    r"|condone|promote|accept)"
)
_CANNOT = (
    r"(?:can['\u2019]?t|cannot|can not|could not|couldn['\u2019]t|won['\u2019]t|will not|must decline|have to decline|decline"
    r"|(?:['\u2019]m|am|['\u2019]re|are) (?:not able|unable)(?: to)?"
    r"|(?:do not|don['\u2019]t) (?:have the (?:ability|capability|capacity)|feel comfortable)(?: to)?)"
)
_REFUSAL = re.compile(
    rf"^(?:{_APOLOGY}[,.!;:\u2014 -]{{1,4}}(?:but |that |for [^.\n]{{1,60}}[,.] ?)?)?(?:however, |but )?"
    rf"(?:as (?:an?|your) [^.,\n]{{1,60}}, )?(?:i|we) ?{_CANNOT} (?:directly |currently |actually |physically |ethically )?"
    rf"{_VERB}?\b",
)
_NEEDS_VERB = re.compile(rf"{_CANNOT} (?:\w+ly )?{_VERB}\b")
_DISCLAIMER = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large language|language|machine learning|virtual|chat)"
    r"(?:[ -](?:language|assistant|model|based|text|chat|bot|powered|trained)){0,5},? ?"
    r"(?:model|assistant|chatbot|program|system|bot)?[,.]? ?(?:(?:developed|created|trained|made) by \w+, )?(?:i|my|me)\b"
    r"|\bi(?:['\u2019]m| am) (?:just |only )?an? (?:ai|artificial intelligence|language)[ -](?:language |text )?model\b",
)
_SENTENCE_START = re.compile(r"(?:^|[.!?]\s{1,3}|\n\s{0,3}|\b(?:sorry|however|unfortunately|apologi[sz]e)[,.]? ?(?:but )?)$")
_IDENTITY_QUESTION = re.compile(
    r"\bwho \w{2,20} you\b|who you are|what (?:are you|you are) ?(?:[?.!]|$)|about you\b|about yourself"
    r"|introduce yourself|your (?:name|creator|developer|maker|purpose)|are you (?:an? )?(?:ai|human|robot|bot|real|model|chat)"
)
_REQUESTED = re.compile(r"refus|declin|apolog|reject|as an ai|language model|turn(?:ing)? down|say no|sorry|complain|customer")


def check_refusal(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer that begins by refusing, or that says it comes from a language model instead of answering."""
    if view.tools or view.tool_calls or view.kind == "document" or not view.answer:
        return None
    head = view.answer.lstrip()[:_HEAD_CHARS].lower().lstrip("*_> ")
    if head[:1] in "\"'`\u201c\u2018(" or not ("i " in head or "i'" in head or "i\u2019" in head or "we " in head):
        return None
    asked = view.bare_question[:2_000]
    if _refuses(head) and _REQUESTED.search(asked) is None:
        return Problem("refusal", f"The answer refuses: {view.answer.strip()[:60]!r}.")
    found = _disclaims(head)
    if found and _REQUESTED.search(asked) is None and _IDENTITY_QUESTION.search(asked) is None:
        return Problem("assistant_disclaimer", f"The answer speaks of being a model: {found!r}.")
    return None


def _refuses(head: str) -> bool:
    found = _REFUSAL.search(head)
    return found is not None and _NEEDS_VERB.search(head[: found.end() + 30]) is not None


def _disclaims(head: str) -> str:
    for found in _DISCLAIMER.finditer(head):
        if _SENTENCE_START.search(head[: found.start()][-60:]):
            return found[0].strip()
    return ""
