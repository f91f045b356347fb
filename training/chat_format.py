"""From messages to token ids, and which of them are learnt.

    <|bos|><|user|>How do I upper-case a column?<|end|><|assistant|>{"part":"strings"}<|end|>
    ------------------------- prompt, masked -----------------------|------- learnt --------

A model that has a chat template of its own keeps it. The prompt is rendered exactly as it is when the model is asked, and
the answer is what the template adds to it, so training and answering see the same tokens.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.chat_turns import as_turn, wants_content_parts
from curation.errors import ChatFormatError
from curation.records import Message

IGNORED = -100
"""Label of a token that is not learnt."""

THOUGHT = ("<think>", "</think>")
"""How the models that think aloud open and close a thought."""

BOS, END, PAD = "<|bos|>", "<|end|>", "<|pad|>"
ROLE_MARKERS = tuple(f"<|{role}|>" for role in ("system", "user", "assistant", "tool"))
SPECIAL_TOKENS = (BOS, END, PAD, *ROLE_MARKERS)

CHAT_TEMPLATE = (
    "{{ bos_token }}{% if tools %}<|system|>{{ tools | tojson }}" + END + "{% endif %}"
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}<tool_call>{{ call['function'] | tojson }}</tool_call>{% endfor %}"
    + END
    + "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""The template of the small Llama, and of named models that come without one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """A prompt and an answer as token ids; the answer ends with the end-of-turn token."""

    prompt: list[int]
    answer: list[int]

    @property
    def ids(self) -> list[int]:
        """What the model reads."""
        return self.prompt + self.answer

    @property
    def labels(self) -> list[int]:
        """What the model learns: the answer, end of turn included; `IGNORED` elsewhere."""
        return [IGNORED] * len(self.prompt) + self.answer


class ChatFormat:
    """Renders and tokenises the conversations of one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.special_texts = sorted(text for text in tokenizer.all_special_tokens if text)
        self._special_ids = frozenset(tokenizer.all_special_ids)
        self._in_parts = wants_content_parts(tokenizer)
        self._last_prompt: tuple[tuple[tuple[Message, ...], str], tuple[str, list[int]]] | None = None

    def encode(self, prompt: Sequence[Message], answer: str | Message, tools: str = "") -> Tokens:
        """Tokenise one conversation: a prompt and the assistant's answer, as text or as a message with tool calls.

        Raises:
            ChatFormatError: if the template does not render the prompt as the beginning of the whole conversation, repeats
                the beginning-of-sequence token (where no text holds it), or does not close the answer.
        """
        last = answer if isinstance(answer, Message) else Message(role="assistant", content=answer)
        asked, asked_ids = self._encode_prompt(tuple(prompt), tools)
        whole = self._render([*prompt, last], tools, add_generation_prompt=False)
        written = whole[len(asked) :] if whole.startswith(asked) else _continue_thought(asked, whole, last.content)
        tokens = Tokens(prompt=[*asked_ids], answer=self._close(self._tokenise(written)))
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if tokens.ids.count(start) > 1 and start != end and not self._is_said(self.tokenizer.bos_token, [*prompt, last], tools):
            raise ChatFormatError(problem="it writes the beginning-of-sequence token more than once")
        return tokens

    def encode_prompt(self, prompt: Sequence[Message], tools: str = "") -> list[int]:
        """Tokenise a prompt that the model will answer itself. Raises ChatFormatError if the template refuses it."""
        return [*self._encode_prompt(tuple(prompt), tools)[1]]

    @staticmethod
    def _is_said(special: str, messages: Sequence[Message], tools: str) -> bool:
        """Tell whether a special token stands in the texts, which is no fault of the template: see `special_text_in`."""
        return special in tools or any(special in message.text for message in messages)

    def _encode_prompt(self, prompt: tuple[Message, ...], tools: str) -> tuple[str, list[int]]:
        """Render and tokenise a prompt; the answers of a pair share one."""
        if self._last_prompt is None or self._last_prompt[0] != (prompt, tools):
            asked = self._render([*prompt], tools, add_generation_prompt=True)
            self._last_prompt = ((prompt, tools), (asked, self._tokenise(asked)))
        return self._last_prompt[1]

    def encode_text(self, text: str) -> list[int]:
        """Tokenise a document between the tokens that keep it apart from its neighbours."""
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        inner = [token for token in self._tokenise(text) if token not in (start, end)]
        return [*([] if start in (None, end) else [start]), *inner, *([] if end is None else [end])]

    def special_text_in(self, texts: Sequence[str]) -> str | None:
        """Return a special token that stands in a text as plain characters, where it would end or forge a turn."""
        return next((special for special in self.special_texts if any(special in text for text in texts)), None)

    def _close(self, answer: list[int]) -> list[int]:
        while answer and answer[-1] not in self._special_ids and not self.tokenizer.decode([answer[-1]]).strip():
            answer.pop()  # a newline after the end of turn is layout of the template
        if answer and answer[-1] in self._special_ids:
            return answer
        if self.tokenizer.eos_token_id is None:
            raise ChatFormatError(problem="it does not close an answer, and the tokenizer has no end token")
        return [*answer, self.tokenizer.eos_token_id]

    def _render(self, messages: list[Message], tools: str, *, add_generation_prompt: bool) -> str:
        turns = [as_turn(message, parsed=True, in_parts=self._in_parts) for message in messages]
        more = {"tools": json.loads(tools)} if tools else {}
        try:
            return str(
                self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt, **more)
            )
        except Exception as error:  # templates are code of strangers and raise what they like
            raise ChatFormatError(problem=f"it refuses a conversation ({error})") from error

    def _tokenise(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _continue_thought(asked: str, whole: str, answer: str) -> str:
    """Return what follows a prompt that ends within an opened thought, which the rendered conversation does not show so.

    DeepSeek R1 asks with `<think>` and a newline, but renders past answers without their thoughts: a model trained on that
    rendering would never close the thought that it is given. The answer's own thought, or an empty one, is put there.

    Raises:
        ChatFormatError: if that is not the reason why the prompt is no beginning of the conversation.
    """
    opened = asked.rstrip()
    before = opened.removesuffix(THOUGHT[0])
    if before == opened or not whole.startswith(before):
        raise ChatFormatError(problem="it does not render a prompt as the beginning of the conversation")
    shown = whole[len(before) :].removeprefix(THOUGHT[0])
    if THOUGHT[1] in shown:
        return shown
    thought = answer.rpartition(THOUGHT[1])[0].partition(THOUGHT[0])[2].strip()
    return (f"{thought}\n" if thought else "\n") + f"{THOUGHT[1]}\n\n{shown}"
