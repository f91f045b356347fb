"""What a translation must keep: its language, its length, its numbers and the terms of the glossary.

check_translation("It weighs 2,500 kg.", "Ina uzito wa kilo 2.500.", ...)         passes
check_translation("It weighs 2,500 kg.", "Ina uzito wa kilo 25.", ...)            raises UnusableError: number_lost
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from curation.filters.language import detect_language
from curation.synthesis.novelty import gram_similarity
from curation.synthesis.parse import UnusableError, check_text

COPY_SIMILARITY = 0.8
SURE = 0.8
MIN_LETTERS = 40
"""Texts with fewer letters are not judged by language, as in the filters: short ones are guesswork."""
_CODES = """
af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da
de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id
ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn
mr mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue
sa sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo
wa war wuu xal xmf yi yo yue zh"""
DETECTED = frozenset(_CODES.split())
"""Languages that the model of the language filter (lid.176) can name."""
_NUMBER = re.compile(r"(?<!\d)\d+(?:[.,'\u2019\u066b\u066c\u00a0\u202f ]\d+)*(?!\d|(?:st|nd|rd|th|s)\b)")


def check_translation(
    source: str,
    translation: str,
    *,
    languages: tuple[str, str],
    glossary: Mapping[str, str],
    max_length_ratio: float,
) -> None:
    """Check a translation by rule.

    Args:
        source: the text that was translated.
        translation: what came of it.
        languages: codes of source and target (ISO 639).
        glossary: terms of this text and how they must be translated.
        max_length_ratio: how many times longer, in characters, one of the two may be.

    Raises:
        UnusableError: `untranslated`, `length_ratio`, `number_lost`, `term_lost`, `wrong_language`, or a fault of the text.
    """
    check_text(translation, "translation", 1, 20_000)
    if gram_similarity(source, translation) >= COPY_SIMILARITY:
        raise UnusableError("untranslated", "The translation is nearly the text itself.")
    shorter, longer = sorted((len(source), len(translation)))
    if longer > max_length_ratio * shorter:
        raise UnusableError("length_ratio", f"One text is {longer / shorter:.1f} times as long as the other.")
    lost = Counter(numbers_in(source)) - Counter(numbers_in(translation))
    if lost:
        raise UnusableError("number_lost", f"The translation lacks the number {next(iter(lost))}.")
    missing = next((term for term, given in glossary.items() if given.casefold() not in translation.casefold()), None)
    if missing is not None:
        raise UnusableError("term_lost", f"'{missing[:100]}' is not translated as '{glossary[missing][:100]}'.")
    _check_language(translation, *languages)


def numbers_in(text: str) -> list[str]:
    """Return the digits of each number in a text, whatever separates thousands and decimals and whichever script they have.

    English ordinals and decades do not count: the 20th century and the 1970s have no digits in many languages.
    """
    plain = "".join(str(unicodedata.digit(char)) if char.isdecimal() else char for char in text)
    return [re.sub(r"\D", "", found) for found in _NUMBER.findall(plain)]


def terms_in(text: str, glossary: Mapping[str, str]) -> dict[str, str]:
    """Return the terms of a glossary that stand in a text as words."""
    folded = text.casefold()
    return {
        term: given
        for term, given in glossary.items()
        if re.search(rf"(?<!\w){re.escape(term.casefold())}(?!\w)", folded) is not None
    }


def is_in_language(text: str, language: str) -> bool:
    """Tell whether nothing speaks against a text being in a language: it is, or it cannot be judged."""
    found = detect_language(text, MIN_LETTERS, (language,))
    return not found.code or found.code == language or found.confidence < SURE or language not in DETECTED


def _check_language(translation: str, source: str, target: str) -> None:
    """A language that the detector does not know is taken for others, but never, with confidence, for the source language."""
    found = detect_language(translation, MIN_LETTERS, (target,))
    wrong = found.code not in ("", target) and found.confidence >= SURE
    if wrong and (target in DETECTED or found.code == source):
        raise UnusableError("wrong_language", f"The translation is in '{found.code}' ({found.confidence:.0%} sure).")
