"""Shapes with one column for the question and one for the answer.

alpaca             {"instruction": "Translate.", "input": "Hund", "output": "Dog"}
prompt_completion  {"prompt": "Hund means", "completion": "dog"}, either side also as a list of messages
question_answer    {"question": "Who?", "context": "It was Ann.", "answer": "Ann"}
classification     {"text": "Card lost!", "category": "lost_card"}
"""

from collections.abc import Mapping
from typing import Any

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.cells import cell_text, cell_texts, load_json
from curation.ingest.shapes.conversation import check_conversation
from curation.ingest.shapes.reading import Demonstration, Part, Reading, Shape
from curation.ingest.shapes.sides import read_messages, read_prompt
from curation.ingest.text import normalise_text
from curation.records import Message

SYSTEM = Part("system", "system", "text", False)


def demonstrate(system: str, user: str, assistant: str) -> Demonstration:
    """Return a conversation of one question and one answer; an empty system prompt is left out."""
    first = (Message(role="system", content=system),) if system.strip() else ()
    return Demonstration((*first, Message(role="user", content=user), Message(role="assistant", content=assistant)))


def _convert_alpaca(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    instances = reading.cell("instances", values)
    if instances is not None:
        return _convert_instance(reading, values, instances)
    answer = reading.required_text("assistant", values)
    return answer if isinstance(answer, Unusable) else _instruct(reading, values, reading.text("input", values), answer)


def _instruct(reading: Reading, values: Mapping[str, Any], given: str | Unusable, answer: str) -> Demonstration | Unusable:
    parts = (reading.text("context", values), reading.required_text("user", values), given)
    system, history = reading.text("system", values), _read_history(reading.cell("history", values))
    problem = next((part for part in (*parts, system, history) if isinstance(part, Unusable)), None)
    if problem is not None:
        return problem
    user = reading.config.separator.join(str(part) for part in parts if str(part).strip())
    whole = demonstrate(str(system), user, answer).messages
    earlier = () if isinstance(history, Unusable) else history
    if not earlier:
        return Demonstration(whole)
    checked = check_conversation((*whole[:-2], *earlier, *whole[-2:]), "", trim=False)
    return checked if isinstance(checked, Unusable) else Demonstration(checked)


def _convert_instance(reading: Reading, values: Mapping[str, Any], instances: Any) -> Demonstration | Unusable:
    """Read the only input and output that a seed task lists; several would be several rows."""
    items = load_json(instances)
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        return Unusable("several_instances", "The row needs exactly one instance with an input and an output.")
    given, answer = (cell_text(items[0].get(name, "")) for name in ("input", "output"))
    if given is None or answer is None or not answer.strip():
        return Unusable("empty_text", "The instance has no output.")
    return _instruct(reading, values, normalise_text(given), normalise_text(answer))


def _read_history(value: Any) -> tuple[Message, ...] | Unusable:
    """Return earlier turns out of `[[user, assistant], ...]`."""
    pairs = [] if value in (None, "") else load_json(value)
    if not isinstance(pairs, list):
        return Unusable("invalid_history", "The history is no list of [user, assistant] pairs.")
    messages: list[Message] = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            return Unusable("invalid_history", "The history is no list of [user, assistant] pairs.")
        messages.append(Message(role="user", content=normalise_text(pair[0])))
        messages.append(Message(role="assistant", content=normalise_text(pair[1])))
    return tuple(messages)


ALPACA = Shape(
    "alpaca",
    (
        Part("user", "instruction", "text"),
        Part("input", "input", "text", False, "{column} appended"),
        Part("context", "context", "text", False, "{column} before it"),
        Part("history", "history", "pairs", False, "{column} -> earlier turns"),
        SYSTEM,
        Part("assistant", "output", "text"),
    ),
    _convert_alpaca,
)
SEED_TASK = Shape(
    "alpaca",
    (
        Part("user", "instruction", "text"),
        Part("instances", "instances", "calls", True, "{column} -> input and assistant"),
        SYSTEM,
    ),
    _convert_alpaca,
)


def _convert_prompt_completion(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    prompt = read_prompt(reading, "user", values)
    if isinstance(prompt, Unusable):
        return prompt
    answer = read_messages(reading, "assistant", values, alone="assistant")
    if isinstance(answer, Unusable):
        return answer
    checked = check_conversation((*prompt, *answer), "", trim=reading.config.trim_to_assistant)
    return checked if isinstance(checked, Unusable) else Demonstration(checked)


PROMPT_COMPLETION = Shape(
    "prompt_completion",
    (Part("user", "prompt", "prompt"), SYSTEM, Part("assistant", "completion", "answer")),
    _convert_prompt_completion,
)


def _convert_question(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    question, system = reading.required_text("user", values), reading.text("system", values)
    contexts = _read_contexts(reading.cell("context", values))
    answer = _read_answer(reading, values)
    problem = next((part for part in (question, system, contexts, answer) if isinstance(part, Unusable)), None)
    if problem is not None:
        return problem
    texts = [*([] if isinstance(contexts, Unusable) else contexts), str(question)]
    return demonstrate(str(system), reading.config.separator.join(texts), str(answer))


def _read_contexts(value: Any) -> list[str] | Unusable:
    texts = [] if value is None else cell_texts(load_json(value) or value)
    if texts is None:
        return Unusable("not_text", "The context is neither a text nor a list of texts.")
    return [text for text in map(normalise_text, texts) if text.strip()]


def _read_answer(reading: Reading, values: Mapping[str, Any]) -> str | Unusable:
    """Return the answer, or the first of several (a list, or SQuAD's object with a list of texts)."""
    value = reading.cell("assistant", values)
    if isinstance(value, dict):
        value = value.get("text")
    if not isinstance(value, (list, tuple)):
        return reading.required_text("assistant", {**values, reading.columns["assistant"]: value})
    texts = [normalise_text(text) for text in cell_texts(value) or []]
    return next((text for text in texts if text.strip()), Unusable("no_answer", "The list of answers holds no text."))


QUESTION_ANSWER = Shape(
    "question_answer",
    (
        SYSTEM,
        Part("context", "context", "texts", False, "{column} before the question"),
        Part("user", "question", "text"),
        Part("assistant", "answer", "answer"),
    ),
    _convert_question,
)


def _convert_class(reading: Reading, values: Mapping[str, Any]) -> Demonstration | Unusable:
    text, system, label = (
        reading.required_text("user", values),
        reading.text("system", values),
        reading.required_text("label", values),
    )
    problem = next((part for part in (text, system, label) if isinstance(part, Unusable)), None)
    return problem if problem is not None else demonstrate(str(system), str(text), str(label))


CLASSIFICATION = Shape(
    "classification",
    (SYSTEM, Part("user", "text", "text"), Part("label", "class", "text", True, "{column} -> assistant")),
    _convert_class,
)
