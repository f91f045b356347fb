"""The order of the turns of a conversation: what a chat model can be taught, and why the rest cannot.

check_conversation([user, assistant, user], "", trim=False)     Unusable("ends_with_user", "...")
check_conversation([user, assistant, user], "", trim=True)      (user, assistant)
"""

from collections.abc import Sequence

from curation.ingest.row_records import Unusable
from curation.ingest.shapes.tool_calls import tool_names
from curation.records import Message


def check_conversation(messages: Sequence[Message], tools: str, *, trim: bool) -> tuple[Message, ...] | Unusable:
    """Return a conversation that ends with the assistant, or what is wrong with it.

    Args:
        messages: turns with normalised text.
        tools: definitions as `read_tools` returns them; with any, only these may be called.
        trim: cut what follows the assistant's last turn instead of refusing it.
    """
    prompt = check_prompt(messages, tools)
    if isinstance(prompt, Unusable):
        return prompt
    turns = list(prompt)
    while trim and turns and turns[-1].role != "assistant":
        turns.pop()
    if not turns or turns[-1].role != "assistant":
        last = turns[-1].role if turns else "nobody"
        reason = {"user": "ends_with_user", "tool": "ends_with_tool_result"}.get(last, "no_assistant_turn")
        return Unusable(reason, "The conversation ends without an answer of the assistant; `trim_to_assistant` cuts it back.")
    if all(message.role != "user" for message in turns[:-1]):
        return Unusable("no_user_turn", "No user message stands before the assistant's answer.")
    return tuple(turns)


def check_prompt(messages: Sequence[Message], tools: str) -> tuple[Message, ...] | Unusable:
    """Return turns in an order that chat templates know, without an empty system message, or what is wrong with them."""
    turns = [message for message in messages if message.role != "system" or message.content.strip()]
    if not turns:
        return Unusable("empty_conversation", "The conversation has no turn.")
    defined = tool_names(tools)
    for number, message in enumerate(turns, start=1):
        before = turns[number - 2] if number > 1 else None
        problem = _check_turn(number, message, before) or _check_calls(number, turns, defined)
        if problem is not None:
            return problem
    return tuple(turns)


def _check_turn(number: int, message: Message, before: Message | None) -> Unusable | None:
    if message.role == "system" and before is not None:
        return Unusable("misplaced_system", f"Turn {number} is a system message, which only the first may be.")
    if message.role != "tool" and not message.content.strip() and not message.tool_calls:
        return Unusable("empty_turn", f"Turn {number} ({message.role}) is empty.")
    if before is not None and message.role in ("user", "assistant") and before.role == message.role:
        return Unusable(f"repeated_{message.role}_turn", f"Turns {number - 1} and {number} are both by the {message.role}.")
    return None


def _check_calls(number: int, turns: Sequence[Message], defined: frozenset[str]) -> Unusable | None:
    message = turns[number - 1]
    strange = [call.name for call in message.tool_calls if defined and call.name not in defined]
    if strange:
        return Unusable("undefined_tool", f"Turn {number} calls '{strange[0]}', which the tools do not define.")
    if message.role == "tool":
        return _check_result(number, turns)
    if number > 1 and turns[number - 2].tool_calls:
        return Unusable("unanswered_tool_call", f"Turn {number} follows a call of a tool, but is no result of one.")
    return None


def _check_result(number: int, turns: Sequence[Message]) -> Unusable | None:
    caller = next((turns[position] for position in range(number - 2, -1, -1) if turns[position].role != "tool"), None)
    known = caller.tool_calls if caller is not None else ()
    if all(call.id != turns[number - 1].tool_call_id for call in known):
        return Unusable("orphan_tool_result", f"Turn {number} is the result of a tool that nobody called.")
    return None
