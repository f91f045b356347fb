"""Rows of every kind for the review pages: make_rows(3) gives three examples (one a chat), pairs, tasks, documents."""

from curation.ids import content_hash
from curation.records import Example, Message, PreferencePair, Provenance, ReviewItem, SourceSpan, ToolCall
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig()
PASSAGE = "Returns are free within 30 days of delivery. Gift cards cannot be returned. A label is emailed within an hour."
ANSWER = "Returns are free for 60 days. Gift cards cannot be returned. Everything else can."
PROVENANCE = Provenance(
    origin="synthetic",
    method="grounded_qa",
    teacher="extractive",
    generation_depth=1,
    spans=(SourceSpan(document_key="shop/returns", document_hash="ab" * 16, start=0, end=len(PASSAGE)),),
)


def make_example(number: int, answer: str = ANSWER, *, is_chat: bool = False) -> Example:
    turns = (Message(role="user", content=f"Question {number}?"),)
    if is_chat:
        call = ToolCall(id="c1", name="track_parcel", arguments='{"order": 4711}')
        turns = (
            Message(role="system", content="You help the customers of a shop."),
            Message(role="user", content="Where is my parcel?"),
            Message(role="assistant", content="", tool_calls=(call,)),
            Message(role="tool", content='{"status": "in transit"}', tool_call_id="c1", name="track_parcel"),
            *turns,
        )
    messages = (*turns, Message(role="assistant", content=answer))
    return Example(key=f"shop/row{number}", task="returns", group="g", messages=messages, provenance=PROVENANCE)


def make_pair(number: int) -> PreferencePair:
    return PreferencePair(
        key=f"shop/pair{number}",
        task="returns",
        prompt=(Message(role="user", content=f"Pair {number}?"),),
        chosen="right",
        rejected="wrong",
        rejected_kind="wrong",
        group="g",
        provenance=PROVENANCE,
    )


def make_task(number: int) -> ReviewItem:
    prompt = (Message(role="user", content=f"What is {number} plus 7?"),)
    return _item("task", number, prompt, str(number + 7), "exact_number", PROVENANCE)


def make_document(number: int) -> ReviewItem:
    text = f"Dear [PERSON_NAME],\n\nwrite to [EMAIL] about order {number}."
    source = Provenance(origin="human", method="source", license="CC-BY-4.0", output_terms="none", terms_verdict="allowed")
    return _item("document", number, (), text, "", source)


def _item(kind: str, number: int, prompt: tuple[Message, ...], answer: str, grader: str, provenance: Provenance) -> ReviewItem:
    return ReviewItem(
        key=content_hash([kind, answer]),
        kind=kind,  # type: ignore[arg-type]  # a plain name in a test
        prompt=prompt,
        answer=answer,
        alternative=grader,
        rubric_version=CONFIG.rubric_version,
        record_key=f"shop/{kind}{number}",
        record_hash="cd" * 16,
        evidence=(),
        task="mail",
        provenance=provenance,
    )


def make_items(
    examples: list[Example], pairs: list[PreferencePair], more: list[ReviewItem] | None = None, config: ReviewConfig = CONFIG
) -> list[ReviewItem]:
    return build_items(examples, pairs, lambda _: PASSAGE, config) + (more or [])


def make_rows(number: int) -> list[ReviewItem]:
    numbers = range(number)
    examples = [make_example(each, f"{ANSWER} ({each})", is_chat=each == 0) for each in numbers]
    more = [make_task(each) for each in numbers] + [make_document(each) for each in numbers]
    return make_items(examples, [make_pair(each) for each in numbers], more)


def fill(queue: ReviewQueue, items: list[ReviewItem], config: ReviewConfig = CONFIG) -> list[ReviewItem]:
    queue.sync_items(items, config)
    return items
