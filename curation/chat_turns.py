"""Messages in the shape that chat APIs and chat templates read.

as_turn(Message(role="user", content="Hi"))                  {"role": "user", "content": "Hi"}
as_turn(Message(role="user", content="Hi"), in_parts=True)   {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
"""

from typing import Any

from curation.records import Message, parse_arguments


def as_turn(message: Message, *, parsed: bool = False, in_parts: bool = False) -> dict[str, Any]:
    """Return a message in OpenAI's shape; what a message does not have is left out.

    Args:
        message: one turn.
        parsed: give the arguments of tool calls as an object, as the chat templates of transformers want them, and
            not as JSON text, as the API has them. What is no JSON stays text.
        in_parts: give the content as a list with one part of text, as the templates of models that also see images want it.
    """
    content: Any = [{"type": "text", "text": message.content}] if in_parts else message.content
    turn: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": parse_arguments(call.arguments) if parsed else call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    if message.name:
        turn["name"] = message.name
    return turn


def wants_content_parts(tokenizer: Any) -> bool:
    """Tell whether the chat template of a tokenizer reads content only as a list of parts.

    Templates of models that also see images iterate over the content: given a string they raise, or silently render a turn
    without any text.
    """
    if not tokenizer.chat_template:
        return False
    probe = Message(role="user", content="Zebra crossing 417")
    return not _shows(tokenizer, probe, in_parts=False) and _shows(tokenizer, probe, in_parts=True)


def _shows(tokenizer: Any, message: Message, *, in_parts: bool) -> bool:
    turns = [as_turn(message, in_parts=in_parts)]
    try:
        return message.content in tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception:  # templates are code of strangers and raise what they like
        return False
