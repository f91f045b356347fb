r"""Rule for prompt templates that leaked into the text: role markers, special tokens, unfilled placeholders.

check_role_markers(view_of(answer="Yes.\n### Instruction:\nNext"), RuleConfig())    Problem("role_markers", ...)
"""

import re

from curation.filters.rule_config import RuleConfig
from curation.filters.rules import Problem
from curation.filters.text_view import TextView

_TOKENS = (
    "<|im_start|>", "<|im_end|>", "<|im_sep|>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>",
    "<|start_header_id|>", "<|end_header_id|>", "<start_of_turn>", "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>",
    "<|end|>", "<|start|>", "<|message|>", "<|channel|>", "<|return|>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>",
    "<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>", "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>", "[|Human|]", "[|AI|]",
)  # fmt: skip
_TOKEN = re.compile("|".join(re.escape(token) for token in _TOKENS))
_ANGLE_HINTS = ("<|", "<start_of", "<end_of", "<<SYS", "<</SYS", "<\uff5c", "</s>", "<eos>", "<pad>")
_HEADING_WORDS = ("Instruction", "Response", "Human", "Assistant", "User", "Input", "Output")
_HEADING = re.compile(r"^#{2,3} ?(?:Instruction|Response|Human|Assistant|User|Input|Output) ?:[ \t]*$", re.MULTILINE)
_INLINE_HEADING = re.compile(r"### ?(?:Instruction|Response|Human|Assistant|User) ?:")
_TURN = re.compile(r"^(?:Human|H): .{0,4000}?^(?:Assistant|AI|A): |^(?:Human|User): ?\S", re.MULTILINE | re.DOTALL)
_DIALOGUE = re.compile(
    r"dialog|conversation|chat|script|interview|transcript|role.?play|human:|user:|assistant:|scene|play\b|story"
)
_CLOSING = re.compile(r"(?:</s>|<eos>|<\|?pad\|?>)\s*$")
_MUSTACHE = re.compile(r"\{\{ ?[a-zA-Z_][\w .-]{0,40}\}\}")
_SQUARE = re.compile(
    r"\[(?:INSERT|PLACEHOLDER|TODO|TBD|FILL IN|YOUR ANSWER|ANSWER HERE)\b[^\]\n]{0,80}\]|\[insert [^\]\n]{1,60} here\]"
)
_SINGLE = re.compile(
    r"(?<![\w{$])\{(?:instruction|input|question|prompt|context|query|user_input|document|response|output)\}(?!\})"
)
_TEMPLATE_REQUEST = re.compile(
    r"templat|placeholder|jinja|mustache|handlebar|vue|angular|format|f-string|e-?mail|letter|\{\{|fill|blank"
)


def check_role_markers(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject texts in which special tokens or role headings of a chat template stand outside code."""
    for name, text in (("prompt", view.prompt), ("answer", view.answer), ("rejected answer", view.rejected)):
        found = _find_marker(text)
        if found is None and name == "answer":
            found = _find_turn(view)
        if found is not None:
            return Problem("role_markers", f"The {name} holds {found!r}, a mark of a chat template.")
    return None


def check_template_placeholder(view: TextView, config: RuleConfig) -> Problem | None:
    """Reject rows whose template was not filled: `{{name}}` or `[INSERT ...]` in an answer, `{instruction}` in a prompt."""
    found = _find_placeholder(view)
    return Problem("template_placeholder", f"{found!r} was left from a template.") if found else None


def _find_marker(text: str) -> str | None:
    if not _may_hold_marker(text):
        return None
    outside = _outside_code(text)
    found = _TOKEN.search(outside) or _INLINE_HEADING.search(outside) or _HEADING.search(outside) or _CLOSING.search(outside)
    return found[0].strip() if found else None


def _may_hold_marker(text: str) -> bool:
    if ("<" in text and any(hint in text for hint in _ANGLE_HINTS)) or ("[" in text and ("INST]" in text or "[|" in text)):
        return True
    return "##" in text and any(word in text for word in _HEADING_WORDS)


def _find_turn(view: TextView) -> str | None:
    if not ("Human:" in view.answer or "User:" in view.answer or "H: " in view.answer):
        return None
    found = _TURN.search(view.answer[:8_000])
    is_wanted = _DIALOGUE.search(view.bare_question[:8_000]) or _DIALOGUE.search(view.system[:8_000].lower())
    return found[0][:20] if found and not is_wanted and not view.is_code else None


def _find_placeholder(view: TextView) -> str | None:
    if "{" in view.prompt and (found := _SINGLE.search(_outside_code(view.prompt))) and not view.asks_for_code:
        return found[0]
    if "{{" not in view.answer and "[" not in view.answer:
        return None
    found = _SQUARE.search(view.answer) or _MUSTACHE.search(view.answer)
    if found is None or view.is_code or found[0] in view.prompt or found[0] in view.system:
        return None
    wanted = _TEMPLATE_REQUEST.search(view.bare_question[:8_000])
    return None if wanted or found[0] not in _outside_code(view.answer) else found[0]


def _outside_code(text: str) -> str:
    return re.sub(r"`[^`\n]{1,300}`|^(?: {4}|\t).*$", " ", _without_fences(text), flags=re.MULTILINE) if "`" in text else text


def _without_fences(text: str) -> str:
    return re.sub(r"^ {0,3}(`{3,64}).*?^ {0,3}\1[ \t]*$", " ", text[:100_000], flags=re.MULTILINE | re.DOTALL)
