from curation.chat_model import ChatRequest, ReplayChatModel, request_id
from curation.chat_turns import as_turn, wants_content_parts
from curation.ids import content_hash
from curation.records import Message, ToolCall

CALL = ToolCall(id="c1", name="search", arguments='{"q": "a b", "n": 2}')


def test_a_plain_message_has_role_and_content_only() -> None:
    assert as_turn(Message(role="user", content="Hi")) == {"role": "user", "content": "Hi"}


def test_tool_calls_keep_their_arguments_as_text_for_an_api_and_as_object_for_a_template() -> None:
    message = Message(role="assistant", content="", tool_calls=(CALL,))
    assert as_turn(message)["tool_calls"][0]["function"] == {"name": "search", "arguments": '{"q": "a b", "n": 2}'}
    assert as_turn(message, parsed=True)["tool_calls"][0]["function"]["arguments"] == {"q": "a b", "n": 2}
    broken = Message(role="assistant", content="", tool_calls=(ToolCall(id="", name="f", arguments="{oops"),))
    assert as_turn(broken, parsed=True)["tool_calls"][0]["function"]["arguments"] == "{oops"


def test_answers_of_tools_name_the_call() -> None:
    turn = as_turn(Message(role="tool", content="42", tool_call_id="c1", name="search"))
    assert turn == {"role": "tool", "content": "42", "tool_call_id": "c1", "name": "search"}


def test_the_text_of_a_message_holds_its_calls() -> None:
    message = Message(role="assistant", content="Let me look.", tool_calls=(CALL,))
    assert message.text == 'Let me look.\n{"arguments":{"n":2,"q":"a b"},"name":"search"}'
    assert Message(role="user", content="Hi").text == "Hi"


def test_request_ids_of_plain_messages_are_what_they_were_before_there_were_tools() -> None:
    """Replies that were paid for must be found again."""
    model = ReplayChatModel({})
    request = ChatRequest(messages=(Message(role="user", content="Hi"),))
    plain = {"messages": [{"role": "user", "content": "Hi"}], "schema": None, "parameters": {}, "sample_index": 0}
    named = {"provider": "replay", "endpoint": "replay", "model": "replay", "revision": ""}
    assert request_id(model, request) == content_hash({**named, **plain})


class Templated:
    """A tokenizer as far as it renders."""

    def __init__(self, shape: str) -> None:
        self.chat_template = "" if shape == "none" else "{{ messages }}"
        self.shape = shape

    def apply_chat_template(self, turns: list[dict[str, object]], **_: object) -> str:
        content = turns[0]["content"]
        if self.shape == "refuses":
            raise ValueError("no")
        if self.shape == "text":
            return f"user: {content}" if isinstance(content, str) else "user: "
        return "".join(part["text"] for part in content) if isinstance(content, list) else "user: "


def test_templates_say_by_what_they_show_which_content_they_read() -> None:
    assert [wants_content_parts(Templated(shape)) for shape in ("text", "parts", "refuses", "none")] == [
        False,
        True,
        False,
        False,
    ]
    assert as_turn(Message(role="user", content="Hi"), in_parts=True)["content"] == [{"type": "text", "text": "Hi"}]
