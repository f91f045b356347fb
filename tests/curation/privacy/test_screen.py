import json
import logging
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.privacy.config import PrivacyConfig
from curation.privacy.finding import Finding
from curation.privacy.screen import Screener, screen_documents, screen_rows
from curation.records import (
    Document,
    Example,
    JudgeVote,
    Message,
    PreferencePair,
    Provenance,
    Section,
    ToolCall,
    UnpairedPreference,
    VerifiableTask,
    record_hash,
)

MASK = PrivacyConfig()
TOKEN = "ghp_q8Zr4LxN2vKc7TbW9mHd3FsJ6pYg5RaE1uQi"
HUMAN = Provenance(origin="human", method="demonstration")
SECRETS = ("ann.lee@corp-mail.de", TOKEN, "Tr0ub4dor&3xx", "415 867 5309", "4539148803436467", "Alice Weber")


def document(text: str, *, key: str = "notes/a", title: str = "A", sections: tuple[Section, ...] = ()) -> Document:
    return Document(
        key=key, source="notes", title=title, kind="text", text=text, sections=sections, group="a", license="", output_terms=""
    )


def example(*contents: str, key: str = "notes/a#0", tools: str = "", arguments: str = "") -> Example:
    calls = (ToolCall(id="1", name="send", arguments=arguments),) if arguments else ()
    messages = [Message(role="user" if number % 2 == 0 else "assistant", content=text) for number, text in enumerate(contents)]
    messages[-1] = Message(role="assistant", content=contents[-1], tool_calls=calls)
    return Example(key=key, task="chat", messages=tuple(messages), tools=tools, group="a", provenance=HUMAN)


def test_a_document_is_masked_and_its_sections_follow() -> None:
    text = "Mail ann.lee@corp-mail.de.\n\nKeys\nUse " + TOKEN + " here."
    sections = (
        Section(heading_path=("Mail to ann.lee@corp-mail.de",), kind="body", start=0, end=26),
        Section(heading_path=("Keys",), kind="body", start=28, end=len(text)),
    )
    screened = screen_documents([document(text, title="For ann.lee@corp-mail.de", sections=sections)], MASK)
    [kept] = screened.kept
    assert kept.text == "Mail [EMAIL].\n\nKeys\nUse [API_KEY] here."
    assert kept.title == "For [EMAIL]"
    assert kept.sections[0].heading_path == ("Mail to [EMAIL]",)
    assert [kept.text[item.start : item.end] for item in kept.sections] == ["Mail [EMAIL].", "Keys\nUse [API_KEY] here."]
    spans = {(item.field, item.entity): (item.start, item.end) for item in screened.findings}
    assert text[slice(*spans["text", "API_KEY"])] == TOKEN
    assert set(spans) == {
        ("text", "EMAIL"),
        ("text", "API_KEY"),
        ("title", "EMAIL"),
        ("sections[0].heading_path[0]", "EMAIL"),
    }


def test_a_clean_record_stays_the_same_object() -> None:
    row = example("How do I sort a list?", "Use sorted().")
    assert screen_rows([row], MASK).kept[0] is row


def test_every_text_of_a_row_is_screened_and_what_one_text_tells_holds_for_all() -> None:
    row = example(
        "My name is Alice Weber, password: 'Tr0ub4dor&3xx'", "Hello Alice Weber! You said Tr0ub4dor&3xx; mail a@corp.io"
    )
    [kept] = screen_rows([row], MASK).kept
    assert [message.content for message in kept.messages] == [
        "My name is [PERSON], password: '[PASSWORD]'",
        "Hello [PERSON]! You said [PASSWORD]; mail [EMAIL]",
    ]


def test_pairs_tasks_votes_and_single_answers_are_screened() -> None:
    prompt = (Message(role="user", content="Whom do I ask?"),)
    ask = "Ask ann.lee@corp-mail.de"
    voted = Provenance(origin="synthetic", method="x", votes=(JudgeVote(judge="j", score=1.0, reason=ask),))
    rest = {"task": "chat", "prompt": prompt, "group": "a"}
    rows = [
        PreferencePair(key="a/1", chosen=ask, rejected=ask + "!", rejected_kind="x", provenance=HUMAN, **rest),
        UnpairedPreference(key="a/2", answer=ask, is_desirable=True, provenance=HUMAN, **rest),
        VerifiableTask(key="a/3", reference=ask, grader="equal", provenance=voted, **rest),
    ]
    pair, single, task = screen_rows(rows, MASK).kept
    assert (pair.chosen, pair.rejected, single.answer) == ("Ask [EMAIL]", "Ask [EMAIL]!", "Ask [EMAIL]")
    assert (task.reference, task.provenance.votes[0].reason) == ("Ask [EMAIL]", "Ask [EMAIL]")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"note": "Write:\\nann.lee@corp-mail.de"}', {"note": "Write:\n[EMAIL]"}),
        ('{"to": "ann\\u002elee@corp-mail.de"}', {"to": "[EMAIL]"}),
        ('{"credit_card": 4539148803436467, "n": 1}', {"credit_card": "[CREDIT_CARD]", "n": 1}),
        ('{"phones": [4158675309]}', {"phones": ["[PHONE_NUMBER]"]}),
        ('{"password": "Tr0ub4dor&3xx"}', {"password": "[PASSWORD]"}),
        ('{"path": "C:\\\\new\\\\table", "mail": "ann.lee@corp-mail.de"}', {"path": "C:\\new\\table", "mail": "[EMAIL]"}),
    ],
)
def test_json_stays_json(arguments: str, expected: object) -> None:
    [kept] = screen_rows([example("Send it", "Done", arguments=arguments)], MASK).kept
    assert json.loads(kept.messages[-1].tool_calls[0].arguments) == expected


def test_a_number_that_becomes_a_pseudonym_stays_a_number() -> None:
    row = example("Send it", "Done", arguments='{"credit_card": 4539148803436467}')
    [kept] = screen_rows([row], PSEUDONYMS).kept
    number = json.loads(kept.messages[-1].tool_calls[0].arguments)["credit_card"]
    assert isinstance(number, int)
    assert number != 4539148803436467


def test_spans_in_json_point_into_the_text_as_written() -> None:
    arguments = '{"note": "\\u00e9\\n\\nann.lee@corp-mail.de"}'
    [finding] = screen_rows([example("Send it", "Done", arguments=arguments)], MASK).findings
    assert finding.field == "messages[1].tool_calls[0].arguments"
    assert arguments[finding.start : finding.end] == "ann.lee@corp-mail.de"


def test_json_that_a_replacement_would_break_is_rejected() -> None:
    class Greedy:
        def find(self, text: str) -> list[Finding]:
            return [Finding("PERSON", 3, 9, "greedy", 1.0)] if text.startswith("{") else []

    screened = screen_rows([example("Send it", "Done", arguments='{"ab": "cd"}')], MASK, [Greedy()])
    assert [item.reason for item in screened.rejections] == ["unmaskable_private_data"]


def test_rejected_rows_are_counted_named_and_masked() -> None:
    config = PrivacyConfig(entities={"API_KEY": "reject", "PASSWORD": "keep"})
    bad = example("Which key?", f"{TOKEN} and password = 'Tr0ub4dor&3xx'", key="notes/bad")
    good = example("Hello", "Hi there", key="notes/good")
    screened = screen_rows([good, bad], config)
    assert [row.key for row in screened.kept] == ["notes/good"]
    [rejection] = screened.rejections
    assert (rejection.key, rejection.reason, rejection.record_hash) == ("notes/bad", "private_data", record_hash(bad))
    assert rejection.excerpt == "[API_KEY] and password = '[PASSWORD]'"
    assert {item.action for item in screened.findings} == {"reject", "keep"}


def test_kept_entities_are_reported_and_stay() -> None:
    row = example("Mail", "ann.lee@corp-mail.de")
    screened = screen_rows([row], PrivacyConfig(entities={"EMAIL": "keep"}))
    assert screened.kept == (row,)
    assert [item.action for item in screened.findings] == ["keep"]


def test_an_excerpt_masks_also_what_the_recipe_keeps() -> None:
    config = PrivacyConfig(entities={"EMAIL": "keep"})
    assert Screener(config).mask("Ask ann.lee@corp-mail.de now") == "Ask [EMAIL] now"


def test_too_long_texts_are_rejected_without_an_excerpt() -> None:
    screened = screen_documents([document("ann.lee@corp-mail.de " * 100)], PrivacyConfig(max_chars=1000))
    assert [(item.reason, item.excerpt) for item in screened.rejections] == [("too_long_to_screen", "")]


@pytest.mark.parametrize("action", ["mask", "reject", "pseudonym"])
def test_what_was_found_stands_in_no_output_and_no_log(action: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    entities = {name: action for name in ("EMAIL", "PHONE_NUMBER", "CREDIT_CARD", "PERSON")}
    secrets = "reject" if action == "reject" else "mask"
    config = PrivacyConfig(entities={**entities, "API_KEY": secrets, "PASSWORD": secrets}, salt="pepper-and-salt")
    text = f"My name is Alice Weber, {SECRETS[0]}, call 415 867 5309. password = '{SECRETS[2]}'; card 4539148803436467; {TOKEN}"
    rows = [
        example(text, "Thanks, Alice Weber", arguments=json.dumps({"t": text})),
        example("x", text, key="notes/b", tools=json.dumps([text])),
    ]
    outputs = [screen_rows(rows, config), screen_documents([document(text, title=text)], config)]
    shown = json.dumps([asdict(item) for output in outputs for item in (*output.kept, *output.rejections, *output.findings)])
    assert outputs[0].findings
    assert [secret for secret in SECRETS if secret in shown or secret in caplog.text] == []


def test_the_result_does_not_depend_on_the_order() -> None:
    rows = [example("Hi", f"mail a{number}@corp.io", key=f"notes/{number}") for number in range(6)]
    config = PrivacyConfig(entities={"EMAIL": "reject"})
    assert screen_rows(rows, config) == screen_rows(rows[::-1], config)
    same_key = [example("Hi", text, key="notes/1") for text in ("one", "two", "a@corp.io")]
    assert screen_rows(same_key, MASK) == screen_rows(same_key[::-1], MASK)


PIECES = st.sampled_from(
    [
        *SECRETS,
        "My name is Alice Weber. ",
        "password = 'Tr0ub4dor&3xx' ",
        " card ",
        "call me at ",
        "born 3/4/1980",
        "81.2.69.142",
        "3c:22:fb:9a:11:7e",
        "ssn 536-22-8471",
        "passport C03005988",
        "12 Elm Grove Street",
        "\n",
        " ",
        '"',
        "\\n",
        "{}[],:",
        "zip code 80331",
    ]
)
PSEUDONYMS = PrivacyConfig(
    salt="pepper-and-salt",
    entities=dict.fromkeys(
        (
            "EMAIL",
            "PHONE_NUMBER",
            "CREDIT_CARD",
            "PERSON",
            "DATE_OF_BIRTH",
            "IP_ADDRESS",
            "MAC_ADDRESS",
            "NATIONAL_ID",
            "PASSPORT",
        )
        + ("STREET_ADDRESS", "ZIP_CODE", "IBAN", "DRIVER_LICENSE"),
        "pseudonym",
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=8).map(" ; ".join), st.sampled_from([MASK, PSEUDONYMS]))
def test_screening_again_changes_nothing_more(text: str, config: PrivacyConfig) -> None:
    """Documents are screened before generation, rows after it: the second pass must not undo the first."""
    once = screen_documents([document(text)], config).kept
    assert screen_documents(once, config).kept == once
