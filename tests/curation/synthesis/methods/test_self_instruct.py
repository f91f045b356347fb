"""New instructions are asked for beside seeds, kept if new, and answered; a second round builds on the first."""

from typing import Any

import pytest

from curation.chat_model import ChatRequest
from curation.errors import ConfigError
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs, Made
from curation.synthesis.methods.self_instruct import SelfInstruct, SelfInstructConfig
from tests.curation.synthesis.methods.answering import AnsweringModel, asked, assert_accounted_for, demonstration, session_of

SEEDS = [
    demonstration("faq/1", "How do I sort a table by price?"),
    demonstration("faq/2", "Name three seas that touch Europe."),
    demonstration("faq/3", "Rewrite this politely: give me the report."),
    demonstration("faq/4", "What is the difference between rain and hail?"),
]


def answer_with(*instructions: str) -> Any:
    def answer(request: ChatRequest) -> Any:
        return {"instructions": list(instructions)} if asked(request).startswith("Task: self_instruct") else "An answer."

    return answer


def run(ledger: RequestLedger, answer: Any, seeds: Any = SEEDS[:1], **settings: Any) -> tuple[Made, AnsweringModel]:
    method = SelfInstruct(SelfInstructConfig(**settings))
    session, model = session_of(ledger, answer)
    units = method.plan(Inputs(examples=seeds))
    made = method.make(units, session)
    assert_accounted_for(units, made)
    return made, model


def test_new_instructions_become_rows(ledger: RequestLedger) -> None:
    made, _ = run(ledger, answer_with("Explain how tea is made.", "List four kinds of cloud."), seeds_per_prompt=1)
    assert [row.key for row in made.examples] == ["faq/1#self_instruct/0", "faq/1#self_instruct/1"]
    row = made.examples[0]
    assert [message.content for message in row.messages] == ["Explain how tea is made.", "An answer."]
    made_by = row.provenance
    assert (row.task, row.group, made_by.method) == ("self_instruct", "group of faq/1", "self_instruct")
    assert (made_by.generation_depth, made_by.parents, made_by.license) == (1, ("faq/1",), "MIT")
    assert (made_by.template_id, len(made_by.request_ids)) == ("invented_answer-1", 2)
    assert made.figures == {"novelty": 1.0}


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("how do I sort a table by the price?", "not_new"),
        ("", "empty_instruction"),
        ("Why?", "short_instruction"),
        ("x" * 5_000, "long_instruction"),
        ("12345 + 67890", "no_instruction"),
        ("Describe what you see in this image.", "refers_to_nothing"),
        ("Explain \x00 to a child.", "invalid_characters"),
    ],
)
def test_what_is_no_new_instruction_is_rejected_before_its_answer_is_paid(
    ledger: RequestLedger, instruction: str, reason: str
) -> None:
    made, model = run(ledger, answer_with(instruction))
    assert [rejection.reason for rejection in made.rejections] == [reason]
    assert len(model.requests) == 1


def test_two_equal_proposals_are_one_row_and_later_calls_remember(ledger: RequestLedger) -> None:
    method = SelfInstruct(SelfInstructConfig(seeds_per_prompt=2))
    session, _ = session_of(ledger, answer_with("Explain how green tea is made."))
    units = method.plan(Inputs(examples=SEEDS))
    first = method.make(units[:2], session)
    assert (len(first.examples), [item.reason for item in first.rejections]) == (1, ["not_new"])
    assert first.rejections[0].other_key == first.examples[0].key
    later = method.make(units[2:], session)
    assert (len(later.examples), len(later.rejections)) == (0, 2)


def test_a_sibling_is_new_only_under_the_guard(ledger: RequestLedger) -> None:
    seed, sibling = demonstration("s", "What is 17 times 28 when rounded to tens?"), "What is 17 times 29 when rounded to tens?"
    assert len(run(ledger, answer_with(sibling), [seed])[0].examples) == 0
    assert len(run(ledger, answer_with(sibling), [seed], sibling_guard=True)[0].examples) == 1


@pytest.mark.parametrize("text", ["", "I'm sorry, but I can't help with that."])
def test_an_answer_that_refuses_or_is_empty_is_rejected(ledger: RequestLedger, text: str) -> None:
    def answer(request: ChatRequest) -> Any:
        return {"instructions": ["Explain how tea is made."]} if asked(request).startswith("Task") else text

    made, _ = run(ledger, answer)
    assert made.examples == ()
    assert made.rejections[0].reason in ("empty_reply", "refusal")


def test_surplus_instructions_are_counted(ledger: RequestLedger) -> None:
    made, _ = run(ledger, answer_with("Explain tea.", "Explain rain and hail."), instructions_per_seed=1)
    assert [rejection.reason for rejection in made.rejections] == ["surplus_instruction"]


def test_the_second_round_builds_on_accepted_rows(ledger: RequestLedger) -> None:
    rounds: list[str] = []

    def answer(request: ChatRequest) -> Any:
        if not asked(request).startswith("Task"):
            return "An answer."
        rounds.append(asked(request))
        return {"instructions": ["Explain how tea is made." if len(rounds) == 1 else "Compare two kinds of soil."]}

    made, _ = run(ledger, answer, rounds=2, seeds_per_prompt=1)
    assert "Explain how tea is made." in rounds[1]
    first, second = made.examples
    assert second.provenance.parents == ("faq/1", first.key)
    assert (first.provenance.generation_depth, second.provenance.generation_depth) == (1, 2)
    assert second.key == "faq/1#self_instruct/4"


def test_the_row_of_the_second_round_takes_the_place_of_a_seed_that_was_drawn(ledger: RequestLedger) -> None:
    method = SelfInstruct(SelfInstructConfig(rounds=2, seeds_per_prompt=3, instructions_per_seed=1))
    session, model = session_of(ledger, answer_with("Explain how tea is made."))
    unit = method.plan(Inputs(examples=SEEDS))[0]
    method.make([unit], session)
    first, second = [asked(request) for request in model.requests if asked(request).startswith("Task")]
    assert "Explain how tea is made." not in first
    assert "Explain how tea is made." in second
    assert first.count("<seed") == second.count("<seed") == 3
    assert unit.payload.seeds[0].messages[0].content in second


def test_no_row_is_three_generations_from_people(ledger: RequestLedger) -> None:
    seeds = [demonstration("made/1", "How do I sort a table?", depth=1), demonstration("made/2", "Name seas.", depth=2)]
    method = SelfInstruct(SelfInstructConfig(rounds=2))
    units = method.plan(Inputs(examples=seeds))
    assert [unit.key for unit in units] == ["made/1#self_instruct"]
    made, model = run(ledger, answer_with("Explain how tea is made."), seeds, rounds=2)
    assert [row.provenance.generation_depth for row in made.examples] == [2]
    assert len(model.requests) == 2


def test_another_seed_changes_few_prompts() -> None:
    def prompts(number: int) -> dict[str, tuple[str, ...]]:
        seeds = [demonstration(f"faq/{at}", f"Question number {at} about something?") for at in range(number)]
        units = SelfInstruct(SelfInstructConfig(seeds_per_prompt=3)).plan(Inputs(examples=seeds))
        return {unit.key: tuple(seed.key for seed in unit.payload.seeds) for unit in units}

    before, after = prompts(300), prompts(301)
    changed = [key for key in before if before[key] != after[key]]
    assert len(changed) <= 12
    assert all(len(set(keys)) == 3 for keys in after.values())
    assert [key for key in after if key in before] == list(before)


def test_a_reply_without_json_costs_its_own_rows_only(ledger: RequestLedger) -> None:
    def answer(request: ChatRequest) -> Any:
        if "faq/1" in asked(request) or "sort a table" in asked(request):
            return "no JSON"
        return {"instructions": ["Explain how tea is made."]} if asked(request).startswith("Task: self") else "An answer."

    made, _ = run(ledger, answer, SEEDS[:2], seeds_per_prompt=1)
    assert (len(made.examples), [item.reason for item in made.rejections]) == (1, ["unparsable_reply"])


@pytest.mark.parametrize(
    "settings",
    [{"rounds": 3}, {"seeds_per_prompt": 0}, {"max_similarity": 0.4}, {"max_similarity": 1.0, "sibling_guard": True}],
)
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SelfInstructConfig(**settings)
