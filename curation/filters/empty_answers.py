"""Rules for rows that say nothing: placeholders, copies of the prompt, nothing but addresses or digits.

check_placeholder(view_of(answer="N/A"), RuleConfig())    Problem("placeholder_answer", "The answer is only 'N/A'.")
"""

import re

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

_PLACEHOLDERS = frozenset(
    [
        *("n/a", "#n/a", "nan", "tbd", "todo", "to be determined", "lorem ipsum", "noinput", "nooutput", "no output"),
        *("<noinput>", "<nooutput>", "<no output>", "<no input>", "<empty>", "<blank>", "<null>", "<none>", "<placeholder>"),
        *("<answer>", "<response>", "<output>", "[answer]", "[response]", "[output]", "[placeholder]", "[deleted]"),
        *("[removed]", "[your answer here]", "your answer here"),
    ]
)
_FILLER = re.compile(r"[.\u2026_\-\u2013\u2014?\s]{1,200}")
_SYMBOL_QUESTION = re.compile(r"operator|symbol|sign\b|mark|character|punctuation|dash|hyphen|underscore|ellipsis")
_ADDRESS = re.compile(r"(?:https?://|ftp://|www\.)\S+|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}", re.IGNORECASE)
_FIRST_IS_ADDRESS = re.compile(r"[^\w]{0,20}(?:https?://|ftp://|www\.|[\w.+-]{1,64}@)", re.IGNORECASE)
_ADDRESS_QUESTION = re.compile(
    r"\b(?:ur[li]s?|links?|web ?sites?|address(?:es)?|e-?mails?|pages?|sources?|where|https?|contact)\b"
)
_NOT_WORDS = re.compile(r"[^\w]+")
MIN_ECHO_CHARS = 30


def check_placeholder(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer that only stands for one: `N/A`, `...`, `<noinput>`, `TBD`."""
    bare = view.bare_answer
    if not bare or len(bare) > 200:
        return None
    is_known = bare.rstrip(".") in _PLACEHOLDERS or bare in config.placeholder_answers
    is_filler = _FILLER.fullmatch(bare) is not None and _SYMBOL_QUESTION.search(view.bare_question[:2_000]) is None
    if is_known or is_filler or bare in {extra.lower() for extra in config.placeholder_answers}:
        return Problem("placeholder_answer", f"The answer is only {view.answer.strip()[:40]!r}.")
    return None


def check_identical(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a pair whose two answers are the same."""
    if view.kind == "pair" and view.answer == view.rejected:
        return Problem("identical_answers", "The chosen and the rejected answer are the same.")
    return None


def check_repeats_prompt(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer that is the question again, or that begins with the whole question (from 30 characters on).

    Code may begin with what was given: completing a function repeats its head.
    """
    question, answer = view.bare_question, view.bare_answer
    if len(question) < 3 or not answer or answer[0] != question[0]:
        return None
    if answer == question or (len(answer) < 2 * len(question) and _words(answer) == _words(question)):
        return Problem("answer_repeats_prompt", "The answer is the prompt again.")
    if len(question) >= MIN_ECHO_CHARS and answer.startswith(question) and not view.is_code:
        return Problem("answer_repeats_prompt", "The answer begins with the whole prompt.")
    return None


def check_addresses(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject an answer (unless an address was asked for), a prompt or a document that holds nothing but addresses."""
    for name, text in (("prompt", view.question), ("answer", view.answer)):
        if _FIRST_IS_ADDRESS.match(text) is None:
            continue
        if name == "answer" and _ADDRESS_QUESTION.search(view.bare_question[:2_000]):
            continue
        if not re.search(r"\w", _ADDRESS.sub("", text[:20_000])):
            return Problem("only_addresses", f"The {_named(view, name)} holds nothing but addresses.")
    return None


def check_digits(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject a prompt or a document that holds no letter at all; an answer may be a number, a question may be a sum."""
    text = view.answer if view.kind == "document" else view.question
    if not text or any(char.isalpha() for char in text[:2_000]) or any(char.isalpha() for char in text[2_000:]):
        return None
    digits = sum(char.isdigit() for char in text)
    if digits and not any(sign in text for sign in "+-*/=^%<>?\u00d7\u00f7"):
        return Problem("only_digits", f"The {_named(view, 'prompt')} holds digits and no letter.")
    return None


def _named(view: TextView, name: str) -> str:
    return "document" if view.kind == "document" else name


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", text).strip()
