r"""Answers as a judge sees them: without what tells who wrote them, and laid out in the same way.

    anonymise("Assistant: I am ChatGPT, trained by OpenAI.\r\n\r\n\r\nHello.<|im_end|>")
        'I am an assistant, trained by its makers.\n\nHello.'

Only what an answer says about its writer is replaced. A name in the matter itself ("Claude Monet was born in 1840") stays.
"""

import re
import unicodedata
from collections.abc import Sequence

_MODELS = (
    "chatgpt", r"gpt-?[0-9][\w.]*(?:[ -](?:turbo|mini|nano|pro|luna|sol))?", "claude", "gemini", "gemma", "bard", "llama",
    "qwen", "mistral", "mixtral", "deepseek", "grok", "copilot", "phi-?[0-9]", "vicuna", "alpaca", "falcon", "command[ -]?r",
    "kimi", "chatglm", "yi", "olmo", "nova", "bloom", "dolly", "pandalm",
)  # fmt: skip
_MAKERS = (
    "openai", "anthropic", "google(?: deepmind)?", "deepmind", "meta(?: ai)?", "alibaba(?: cloud)?", "mistral(?: ai)?",
    "deepseek", "xai", "microsoft", "cohere", "moonshot(?: ai)?", "zhipu(?: ai)?", "amazon", "tsinghua university",
)  # fmt: skip
_MADE_BY = re.compile(
    rf"\b(?P<verb>(?:trained|developed|created|made|built|designed) by )(?:the team at )?(?:{'|'.join(_MAKERS)})\b",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"<\|[a-z_]{2,24}\|>|</?s>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|<(?:eos|bos|pad)>", re.IGNORECASE)
_LABEL = re.compile(
    r"^\s*(?:#{1,4} ?)?(?:assistant|ai|bot|model|response|output|answer)(?: ?(?:\(?[ab12]\)?))? ?:\s*", re.IGNORECASE
)
_SPACES_AT_BREAKS = re.compile(r"[ \t]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")


def anonymise(text: str, names: Sequence[str] = ()) -> str:
    """Return an answer without its writer's marks.

    Args:
        text: the answer as it was written.
        names: further names that its writer goes by.
    """
    known = "|".join([*_MODELS, *(re.escape(name) for name in sorted(names, key=len, reverse=True) if name.strip())])
    says = re.compile(
        rf"\b(?P<lead>(?:I am|I'm|I\u2019m|my name is|as)[ ,]+)(?:an? |the )?(?:AI (?:assistant|model) )?(?:named |called )?"
        rf"(?:{known})(?![\w-])(?! (?-i:[A-Z]))",
        re.IGNORECASE,
    )
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    plain = _LABEL.sub("", _TOKEN.sub("", plain), count=1)
    plain = _MADE_BY.sub(r"\g<verb>its makers", says.sub(r"\g<lead>an assistant", plain))
    return _BLANK_LINES.sub("\n\n", _SPACES_AT_BREAKS.sub("", plain)).strip()
