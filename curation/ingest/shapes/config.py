"""How the rows of a source are to be read: a shape by name, or columns by what they hold.

sources:
  - {name: faq, kind: files, role: demonstrations, path: faq.csv,
     shape: {name: question_answer, columns: {user: frage, assistant: antwort, date: created}}}
"""

import dataclasses
from typing import Literal

from curation.config import check, config

ShapeName = Literal[
    "auto", "alpaca", "classification", "dialogue", "documents", "multiple_choice", "openai", "preference",
    "prompt_completion", "question_answer", "sharegpt", "tool_calling", "unpaired",
]  # fmt: skip
RoleName = Literal["system", "user", "assistant", "tool", "tool_calls", "skip"]


@config
class ColumnsConfig:
    """Which column holds what; an empty name leaves the choice to the synonyms of the shape."""

    user: str = ""
    """The user's text: instruction, prompt, question, or the text to classify."""

    input: str = ""
    """Text that belongs below the user's, such as Alpaca's `input`."""

    assistant: str = ""
    """The answer, completion or list of calls."""

    system: str = ""
    """The system prompt."""

    context: str = ""
    """Text, or list of texts, that the question is about."""

    history: str = ""
    """Earlier turns as a list of `[user, assistant]` (Alpaca)."""

    messages: str = ""
    """A whole conversation: a list of turns."""

    tools: str = ""
    """Definitions of the tools, as a list or as JSON text."""

    chosen: str = ""
    """The preferred answer."""

    rejected: str = ""
    """The other answer."""

    label: str = ""
    """Thumb up or down (`unpaired`), the class (`classification`), or the right option (`multiple_choice`)."""

    options: str = ""
    """The options to choose from."""

    rationale: str = ""
    """Why the right option is right."""

    text: str = ""
    """The text of a document."""

    group: str = ""
    """Split group (customer, thread): rows of one group never stand on both sides of a split."""

    key: str = ""
    """Name of the row."""

    date: str = ""
    """When the row was written: ISO 8601, or seconds since 1970."""


@config
class ShapeConfig:
    """How rows become records. Without it the shape is detected, and refused if there is more than one reading."""

    name: ShapeName = "auto"
    """Shape of the rows; `auto` detects it among those that the declared columns allow."""

    columns: ColumnsConfig = ColumnsConfig()
    """Declared columns; they come before the synonyms. With a declared column and no name, text is added to the user's
    (`input`, `context`, `history`, `rationale`) only from declared columns."""

    role_names: dict[str, RoleName] = dataclasses.field(default_factory=dict)
    """What the speakers of this source are called, such as `{agent: assistant, note: skip}`; added to the known names.
    A `skip` turn is left out of the conversation."""

    desirable_values: tuple[str, ...] = ()
    """Labels that mean thumb up (`unpaired`), compared without case; all others mean thumb down. Empty: booleans
    and plain words such as `good` and `bad`."""

    trim_to_assistant: bool = False
    """Cut a conversation that ends with the user back to the assistant's last turn, instead of rejecting it."""

    separator: str = "\n\n"
    """What stands between instruction and input, and between context and question."""

    include_rationale: bool = True
    """Put the rationale of a multiple-choice question before its answer."""

    def __post_init__(self) -> None:
        names = [value for value in dataclasses.asdict(self.columns).values() if value]
        blank = [name for name in names if not name.strip()]
        check(not blank, "columns", "column names must not be blank", blank[:1])
        check(all(self.role_names), "role_names", "speaker names must not be empty", self.role_names)
