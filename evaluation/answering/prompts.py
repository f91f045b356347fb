"""From a conversation to the tokens that a model goes on with, and from a prompt and a choice to a pair of both.

encoder = PromptEncoder("sft", tokenizer, context_length=4096, num_embeddings=32000, max_new_tokens=64)
encoder.encode(item.prompt, shots)           Encoded(tokens=[1, 529, ...], num_left_out=0)
encoder.pair(item.prompt, "tea")             Pair(context=(1, 529, ...), continuation=(17, 8))
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from curation.chat_turns import as_turn, wants_content_parts
from curation.errors import EvaluationError
from curation.records import Example, Message
from evaluation.answering.child import describe
from evaluation.answering.likelihood import Pair, split_pair

Prompt = str | Sequence[Message] | Sequence[int]
"""A text to go on with as it is, a conversation to answer, or tokens."""


class Encoded(NamedTuple):
    """A prompt in tokens, and how many shots had to be left out to fit it in."""

    tokens: list[int]
    num_left_out: int


class PromptEncoder:
    """The tokenizer and chat template of a model."""

    def __init__(self, name: str, tokenizer: Any, *, context_length: int, num_embeddings: int, max_new_tokens: int) -> None:
        """Take a tokenizer.

        Args:
            name: of the model, for messages.
            tokenizer: of transformers.
            context_length: most tokens that the model reads.
            num_embeddings: tokens that the model has; 0 if not known.
            max_new_tokens: room that `encode` leaves for an answer.
        """
        self.name = name
        self.tokenizer = tokenizer
        self.context_length = context_length
        self.max_new_tokens = max_new_tokens
        self.has_chat_template = bool(tokenizer.chat_template)
        self._num_embeddings = num_embeddings
        self._in_parts = wants_content_parts(tokenizer)
        known = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, 0)
        self.prefix_token: int = next(token for token in known if token is not None)
        """What stands before a text without a prompt: BOS, or EOS where there is none."""

    def encode(self, prompt: Sequence[Message], shots: Sequence[Example], tools: str = "") -> Encoded:
        """Return the prompt in tokens; where the context is too short, shots are left out, then the oldest tokens.

        Args:
            prompt: a conversation.
            shots: examples to show before it.
            tools: definitions of the tools that may be called, as JSON; the template shows them as it does in training.

        Raises:
            EvaluationError: if the context has no room for a prompt at all, or the chat template refuses the messages.
        """
        room = self.context_length - self.max_new_tokens
        if room < 1:
            raise EvaluationError(reason=f"the context of '{self.name}' has no room for {self.max_new_tokens} new tokens.")
        for kept in range(len(shots), -1, -1):
            text = self.render(with_shots(prompt, shots[:kept]), tools)
            tokens = self.tokenize(text, has_special_tokens=not self.has_chat_template)
            if len(tokens) <= room:
                break
        return Encoded(tokens[-room:], len(shots) - kept)

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        """Return a text in tokens, with BOS where the tokenizer adds one, unless the text begins with it.

        Raises:
            EvaluationError: if the model has no such token: the tokenizer is that of another model.
        """
        bos = self.tokenizer.bos_token
        special = has_special_tokens and not (bos and text.startswith(bos))
        text = text.encode("utf-8", "replace").decode()  # halves of surrogate pairs are no text, and the tokenizer raises
        tokens = [int(token) for token in self.tokenizer(text, add_special_tokens=special)["input_ids"]]
        if tokens and self._num_embeddings and max(tokens) >= self._num_embeddings:
            reason = f"the tokenizer of '{self.name}' is that of another model: token {max(tokens)} of {self._num_embeddings}."
            raise EvaluationError(reason=reason)
        return tokens

    def render(self, messages: Sequence[Message], tools: str = "") -> str:
        """Return a conversation as the text that the model goes on with. Raises EvaluationError if its template refuses."""
        if not self.has_chat_template:
            shown = f"tools: {tools}\n" if tools else ""
            return shown + "".join(f"{message.role}: {message.text}\n" for message in messages) + "assistant:"
        more = {"tools": json.loads(tools)} if tools else {}
        turns = [as_turn(message, parsed=True, in_parts=self._in_parts) for message in messages]
        try:
            return str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **more))
        except Exception as error:
            raise EvaluationError(
                reason=f"the chat template of '{self.name}' refuses the prompt ({describe(error)})."
            ) from error

    def pair(self, prompt: Prompt, choice: str) -> Pair:
        """Return a prompt and a choice in tokens. Raises EvaluationError if the choice has none."""
        if isinstance(prompt, str):
            return self._split(prompt, choice)
        messages = [message for message in prompt if isinstance(message, Message)]
        if not messages:
            tokens = tuple(token for token in prompt if isinstance(token, int))
            return Pair(tokens or (self.prefix_token,), tuple(self.tokenize(choice, has_special_tokens=False)))
        if self.has_chat_template:
            return self._split(self.render(messages), choice, has_special_tokens=False)
        return self._split(self.render(messages), choice if choice[:1].isspace() else f" {choice}")

    def _split(self, context: str, continuation: str, *, has_special_tokens: bool = True) -> Pair:
        def tokenize(text: str, special: bool) -> list[int]:
            return self.tokenize(text, has_special_tokens=special and has_special_tokens)

        return split_pair(tokenize, context, continuation, prefix_token=self.prefix_token)


def with_shots(prompt: Sequence[Message], shots: Sequence[Example]) -> list[Message]:
    """Return a conversation with examples between its system message and its first turn."""
    system = [message for message in prompt if message.role == "system"]
    shown = [message for shot in shots for message in shot.messages if message.role != "system"]
    return system + shown + [message for message in prompt if message.role != "system"]
