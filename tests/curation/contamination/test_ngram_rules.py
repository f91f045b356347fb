"""Which shared word runs give an item away, and which do not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.contamination.config import ContaminationConfig
from curation.contamination.find import find_contamination
from tests.curation.contamination.rows import QUESTION, SOLUTION, chat, document, example, filler, item, pair, thumb

CONFIG = ContaminationConfig()
ITEM = item("bench/1", QUESTION, SOLUTION)
CLEAN = [example(f"clean/{number}", filler(number), f"answer {number}") for number in range(60)]


def rows_found(rows: list, items: list, config: ContaminationConfig = CONFIG) -> set[str]:
    return set(find_contamination(rows, items, config).contaminated_rows)


def replace_words(text: str, share: float, seed: int) -> str:
    source = random.Random(seed)
    return " ".join(f"other{source.randint(0, 9999)}" if source.random() < share else word for word in text.split())


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        QUESTION.upper().replace(" ", "  ") + "!!!",
        f"Please answer this one carefully. {QUESTION} Think step by step.",
        QUESTION.replace("seven rows", "eleven long rows"),
        replace_words(QUESTION, 0.08, 3),
        QUESTION[: len(QUESTION) * 2 // 3],
    ],
    ids=["exact", "case", "inside", "number", "words", "cut"],
)
def test_copies_of_a_question_are_found(text: str) -> None:
    assert rows_found([*CLEAN, example("leak/1", text)], [ITEM]) == {"leak/1"}


def test_clean_rows_are_not_found() -> None:
    assert rows_found(CLEAN, [ITEM, item("bench/2", filler(500), filler(501))]) == set()


@pytest.mark.parametrize(
    "row",
    [
        pair("leak/1", QUESTION, "a", "b"),
        thumb("leak/1", QUESTION, "a"),
        chat("leak/1", "Hello there", "Hi", QUESTION, "I do not know"),
        document("leak/1", filler(1) + "\n" + QUESTION + "\n" + filler(2)),
        document("leak/1", filler(1), title=QUESTION),
        example("leak/1", "Answer.", "ok", system=f"The exam asks: {QUESTION}"),
    ],
    ids=["pair", "thumb", "chat", "document", "title", "system"],
)
def test_every_kind_of_row_is_read(row: object) -> None:
    assert rows_found([*CLEAN, row], [ITEM]) == {"leak/1"}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (example("leak/1", "Tell me something.", SOLUTION), "answer"),
        (pair("leak/1", "Tell me something.", "no", SOLUTION), "answer"),
        (example("leak/1", QUESTION, "no"), "prompt"),
        (document("leak/1", SOLUTION), "document"),
    ],
)
def test_answers_count_too_and_the_field_is_named(row: object, field: str) -> None:
    (found,) = find_contamination([*CLEAN, row], [ITEM], CONFIG).pairs
    assert (found.record_key, found.item_key, found.field, found.measure) == ("leak/1", "bench/1", field, "ngram")


def test_templates_that_many_rows_share_are_no_evidence() -> None:
    template = "Explain to a child of nine years what the word {} means and use one simple example from school or from home"
    rows = [example(f"t/{number}", template.format(f"thing{number}")) for number in range(40)]
    items = [item("bench/t", template.format("gravity"))]
    assert rows_found(rows, items) == set()
    assert rows_found([*rows, example("leak/1", template.format("gravity"))], items) == {"leak/1"}


def test_one_shared_slot_of_a_template_is_not_enough() -> None:
    """All runs around one rare word overlap: they are one piece of evidence, not several."""
    template = (
        "Every single day a shop sells {} green apples to people who pay {} dollars a bag of them and throws {} bad ones away"
    )
    rows = [example(f"t/{n}", template.format(100 + n, 200 + n, 300 + n)) for n in range(40)]
    items = [item("bench/t", template.format(105, 999, 998))]
    assert rows_found(rows, items) == set()


def test_an_item_copied_many_times_is_no_template() -> None:
    rows = [*CLEAN, *(example(f"leak/{number}", QUESTION) for number in range(200))]
    assert rows_found(rows, [ITEM]) == {f"leak/{number}" for number in range(200)}


def test_an_item_wrapped_in_many_ways_is_no_template() -> None:
    rows = [*CLEAN, *(example(f"leak/{number}", f"{filler(number)} {QUESTION}") for number in range(50))]
    assert rows_found(rows, [ITEM]) == {f"leak/{number}" for number in range(50)}


def test_labels_and_refusals_are_no_evidence() -> None:
    refusal = "I am sorry but as a careful assistant I cannot help with that request because it may hurt somebody"
    rows = [example(f"r/{number}", filler(number), refusal) for number in range(40)]
    labelled = [example(f"l/{number}", filler(100 + number), "card payment wrong exchange rate") for number in range(40)]
    items = [
        item("b/1", filler(900), refusal),
        item("b/2", filler(901), "card payment wrong exchange rate"),
        item("b/3", filler(902), "yes"),
    ]
    assert rows_found([*rows, *labelled, example("y/1", "Is it true?", "yes")], items) == set()


@pytest.mark.parametrize(
    ("prompt", "text", "is_found"),
    [
        ("Which cash machines take my card?", "which cash machines take my card", True),
        ("Which cash machines take my card?", "Hi, which cash machines take my card?", True),
        (
            "Which cash machines take my card?",
            "Which cash machines take my card when I travel to a country far away from home",
            False,
        ),
        ("Which cash machines take my card?", "Which cash machines take my coins?", False),
        ("Hello", "Hello", False),
        ("Yes or no?", "yes or no", False),
    ],
)
def test_short_prompts_are_compared_whole(prompt: str, text: str, is_found: bool) -> None:
    assert bool(rows_found([*CLEAN, example("leak/1", text)], [item("b/1", prompt, "maybe so")])) == is_found


def test_a_very_short_prompt_counts_with_its_answer() -> None:
    row = example("leak/1", "Yes or no?", "It depends on the weather of that day.")
    assert rows_found([*CLEAN, row], [item("b/1", "Yes or no?", "It depends on the weather of that day.")]) == {"leak/1"}


def test_a_shared_instruction_is_not_part_of_the_items() -> None:
    system = "You are a helpful assistant of the bank and you answer every question of customers in one short friendly sentence"
    items = [example(f"eval/{number}", filler(900 + number), "ok", system=system) for number in range(5)]
    rows = [example(f"row/{number}", filler(number), "ok", system=system) for number in range(5)]
    assert rows_found(rows, items) == set()


def test_empty_sides() -> None:
    assert rows_found([], [ITEM]) == set()
    assert rows_found(CLEAN, []) == set()
    assert rows_found([example("e/1", "", "")], [item("b/1", "", ""), ITEM]) == set()


@given(st.permutations(range(12)), st.permutations(range(4)), st.integers(0, 3))
def test_order_makes_no_difference(rows_order: list[int], items_order: list[int], seed: int) -> None:
    rows = [
        *(example(f"a/{number}", replace_words(QUESTION, 0.07 * number, seed)) for number in range(6)),
        *(example(f"b/{number}", f"{filler(7)} {filler(number)}", SOLUTION[: 40 * number]) for number in range(6)),
    ]
    items = [ITEM, item("b/2", filler(7), "ok"), item("b/3", QUESTION), item("b/2", filler(3), "yes", benchmark="other")]
    expected = find_contamination(rows, items, CONFIG)
    found = find_contamination([rows[place] for place in rows_order], [items[place] for place in items_order], CONFIG)
    assert found == expected


@given(st.lists(st.text(max_size=60), max_size=6), st.lists(st.text(max_size=60), max_size=4))
def test_any_text_is_read(texts: list[str], prompts: list[str]) -> None:
    rows = [example(f"r/{number}", text, text[::-1]) for number, text in enumerate(texts)]
    items = [item(f"i/{number}", prompt, prompt[:5]) for number, prompt in enumerate(prompts)]
    report = find_contamination(rows, items, CONFIG)
    assert all(0 < found.score <= 1 for found in report.pairs)


@given(st.integers(0, 30), st.integers(10, 90))
def test_every_exact_copy_of_a_longer_item_is_found(seed: int, size: int) -> None:
    source = random.Random(seed)
    words = [f"w{source.randint(0, 400)}" for _ in range(size)]
    rows = [*CLEAN, example("leak/1", f"Question: {' '.join(words)}")]
    assert "leak/1" in rows_found(rows, [item("b/1", " ".join(words))])
