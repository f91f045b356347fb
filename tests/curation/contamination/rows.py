"""Rows and items for the tests of contamination."""

from curation.contamination.items import EvalItem
from curation.records import Document, Example, Message, PreferencePair, Provenance, UnpairedPreference

HUMAN = Provenance(origin="human", method="demonstration")
QUESTION = (
    "A gardener named Odalys plants tulips in seven rows of fourteen and gives a third of them to her neighbour Bertrand. "
    "How many tulips stay in the garden if a storm breaks nine more?"
)
SOLUTION = (
    "There are seven times fourteen, which is ninety eight tulips at the start; the neighbour takes thirty two of them and the "
    "storm breaks nine, so fifty seven stay. #### 57"
)


def example(key: str, prompt: str, answer: str = "ok", system: str = "") -> Example:
    first = (Message(role="system", content=system),) if system else ()
    messages = (*first, Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=messages, group=key, provenance=HUMAN)


def chat(key: str, *turns: str) -> Example:
    roles = ("user", "assistant")
    messages = tuple(Message(role=roles[number % 2], content=text) for number, text in enumerate(turns))  # type: ignore[arg-type]
    return Example(key=key, task="chat", messages=messages, group=key, provenance=HUMAN)


def pair(key: str, prompt: str, chosen: str, rejected: str) -> PreferencePair:
    return PreferencePair(
        key=key, task="qa", prompt=(Message(role="user", content=prompt),), chosen=chosen, rejected=rejected,
        rejected_kind="worse", group=key, provenance=HUMAN,
    )  # fmt: skip


def thumb(key: str, prompt: str, answer: str) -> UnpairedPreference:
    prompts = (Message(role="user", content=prompt),)
    return UnpairedPreference(key=key, task="qa", prompt=prompts, answer=answer, is_desirable=True, group=key, provenance=HUMAN)


def document(key: str, text: str, title: str = "A page") -> Document:
    return Document(
        key=key, source="web", title=title, kind="markdown", text=text, sections=(), group=key, license="", output_terms=""
    )


def item(key: str, prompt: str, answer: str = "", benchmark: str = "bench") -> EvalItem:
    return EvalItem(key=key, benchmark=benchmark, prompt=prompt, answer=answer)


def filler(number: int) -> str:
    """Return a text of its own for each number."""
    words = ("amber", "basket", "cobalt", "dune", "ember", "fjord", "garnet", "harbour", "island", "juniper", "kelp", "lagoon")
    return " ".join(f"{words[(number * 7 + step * (number % 5 + 1)) % 12]}{number * 13 + step}" for step in range(14))
