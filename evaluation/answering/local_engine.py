"""What every local engine does alike, whatever computes for it: it writes prompts, answers them, and weighs choices and texts.

class MyModel(LocalEngine):
    def write(self, prompts, *, max_new_tokens, ...): ...      tokens -> Generated
    def _score(self, pairs, batch_size, on_progress): ...      context and continuation -> PairScore
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from curation.records import Example, Message
from evaluation.answering.generated import PLAIN_STOP, Generated
from evaluation.answering.likelihood import (
    ChoiceLikelihood,
    Pair,
    PairScore,
    TextLikelihood,
    join_choices,
    join_windows,
    split_windows,
)
from evaluation.answering.prompts import Encoded, Prompt, PromptEncoder


class LocalEngine(ABC):
    """A model on this machine that is asked for answers and likelihoods."""

    choices_at_once = 0
    texts_at_once = 0
    """Choices and windows of texts that are weighed at once where nobody says how many; 0: all."""

    def __init__(self, name: str, encoder: PromptEncoder, *, context_length: int, max_new_tokens: int) -> None:
        self.name = name
        self.context_length = context_length
        """Most tokens that the model reads."""
        self._encoder = encoder
        self._max_new_tokens = max_new_tokens
        self.has_chat_template = encoder.has_chat_template

    @property
    def _readable(self) -> int:
        """The longest window of a text, in tokens."""
        return self.context_length

    def encode(self, prompt: Sequence[Message], shots: Sequence[Example], tools: str = "") -> Encoded:
        """Return the prompt in tokens; see `PromptEncoder.encode`."""
        return self._encoder.encode(prompt, shots, tools)

    def tokenize(self, text: str, *, has_special_tokens: bool = True) -> list[int]:
        """Return a text in tokens; see `PromptEncoder.tokenize`."""
        return self._encoder.tokenize(text, has_special_tokens=has_special_tokens)

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation as the text that the model goes on with."""
        return self._encoder.render(messages)

    def answer(
        self,
        prompts: Sequence[list[int]],
        *,
        batch_size: int = 0,
        on_answer: Callable[[int, Generated], None] = lambda _index, _answer: None,
    ) -> list[Generated]:
        """Answer prompts greedily, in order. A batch that does not fit into memory is made smaller.

        Args:
            prompts: from `encode`. Give many: those that are short make room for the next while others still go on.
            batch_size: prompts at once; 0: all of them.
            on_answer: told the number of a prompt and its answer as soon as that is there; what it raises stops the rest.

        Raises:
            EvaluationError: if the model computes something that is not a number.
        """
        stop_texts = () if self.has_chat_template else (PLAIN_STOP,)
        limit = self._max_new_tokens

        def tell(index: int, answer: Generated) -> None:
            on_answer(index, answer._replace(text=answer.text.strip()))

        answers = self.write(prompts, max_new_tokens=limit, stop_texts=stop_texts, batch_size=batch_size, on_answer=tell)
        return [answer._replace(text=answer.text.strip()) for answer in answers]

    @abstractmethod
    def write(
        self,
        prompts: Sequence[list[int]],
        *,
        max_new_tokens: int,
        stop_texts: Sequence[str] = (),
        batch_size: int = 0,
        on_answer: Callable[[int, Generated], None] = lambda _index, _answer: None,
    ) -> list[Generated]:
        """Go on with prompts as `answer` does, to the first of `stop_texts`, which is left out; white space is kept."""

    def choice_log_likelihoods(
        self,
        prompts: Sequence[Prompt],
        choices: Sequence[Sequence[str]],
        *,
        batch_size: int = 0,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> list[tuple[ChoiceLikelihood, ...]]:
        """Return how likely each choice is as the answer to its prompt; no choice is normalised by its length yet.

        Args:
            prompts: conversations; texts, which choices follow as they are; or tokens, which choices follow without being
                tokenized together with them.
            choices: those of each prompt.
            batch_size: choices at once; 0: as many as suit the engine.
            on_progress: told how many choices are done.

        Raises:
            EvaluationError: a choice has no tokens or more than the model reads, or the model computes NaN.
        """
        pairs = [self._encoder.pair(prompt, choice) for prompt, own in zip(prompts, choices, strict=True) for choice in own]
        return join_choices(choices, pairs, self._score(pairs, batch_size or self.choices_at_once, on_progress))

    def text_log_likelihoods(
        self, texts: Sequence[str], *, batch_size: int = 0, on_progress: Callable[[int], None] = lambda _: None
    ) -> list[TextLikelihood]:
        """Return how likely each text is, in windows as long as the model reads. An empty text has no tokens and 0.0.

        Args:
            texts: of any length.
            batch_size: windows at once; 0: as many as suit the engine.
            on_progress: told how many windows are done.
        """
        length = self._readable
        windows = [
            split_windows(self.tokenize(text), prefix_token=self._encoder.prefix_token, context_length=length) for text in texts
        ]
        pairs = [pair for own in windows for pair in own]
        return join_windows(texts, windows, self._score(pairs, batch_size or self.texts_at_once, on_progress))

    @abstractmethod
    def _score(self, pairs: Sequence[Pair], batch_size: int, on_progress: Callable[[int], None]) -> list[PairScore]:
        """Return how likely each continuation is behind its context; `on_progress` is told how many are done."""
