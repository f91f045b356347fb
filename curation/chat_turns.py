"""Messages in the shape that chat APIs and chat templates read.

as_turn(Message(role="user", content="Hi"))      {"role": "user", "content": "Hi"}
"""

from typing import Any

from curation.records import Message, parse_arguments


def as_turn(message: Message, *, parsed: bool = False) -> dict[str, Any]:
    """Return a message in OpenAI's shape; what a message does not have is left out.

    Args:
        message: one turn.
        parsed: give the arguments of tool calls as an object, as the chat templates of transformers want them, and
            not as JSON text, as the API has them. What is no JSON stays text.
    """
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
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
