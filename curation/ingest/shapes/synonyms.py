"""What the same thing is called in the wild: columns and speakers, one table for all shapes.

COLUMNS["answer"]           ("answer", "answers", "response", "output", ...)
SPEAKERS["gpt"]             "assistant"

Names are compared without case, with `-` and spaces as `_`; the first name of a table that a file has is taken.
"""

from collections.abc import Mapping

from curation.ingest.shapes.config import RoleName

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "instruction": ("instruction", "instructions"),
    "input": ("input", "inputs"),
    "output": ("output", "response", "completion", "answer", "target", "outputs"),
    "prompt": ("prompt", "input", "inputs", "source"),
    "completion": ("completion", "response", "output", "target", "targets", "answer", "generation"),
    "question": ("question", "query", "problem"),
    "answer": ("answer", "answers", "response", "output", "target", "solution"),
    "context": ("context", "contexts", "passage", "passages", "background"),
    "system": ("system", "system_prompt", "system_message"),
    "history": ("history",),
    "messages": ("messages", "conversations", "conversation", "chat", "dialog", "dialogue"),
    "turns": ("turns", "utterances", "dialogue", "dialog", "conversation", "conversations", "original"),
    "tools": ("tools", "functions", "function"),
    "calls": ("answers", "ground_truth", "tool_calls", "function_calls", "calls", "answer"),
    "chosen": ("chosen", "chosen_response", "response_chosen", "preferred", "accepted"),
    "rejected": ("rejected", "rejected_response", "response_rejected", "dispreferred", "non_preferred"),
    "preference_prompt": (
        "prompt", "instruction", "question", "query", "conversations", "messages", "conversation", "input",
    ),
    "unpaired_prompt": ("prompt", "instruction", "question", "query"),
    "thumb": ("kto_tag", "label", "is_desirable", "desirable", "thumbs_up", "is_good"),
    "text": ("text", "sentence", "utterance", "review", "sms", "tweet"),
    "class": ("label_text", "label_name", "category", "label", "intent", "class", "sentiment", "topic"),
    "options": ("options", "choices", "endings"),
    "correct": ("correct", "answer", "answerkey", "answer_key", "correct_answer", "label", "answer_idx"),
    "instances": ("instances",),
    "rationale": ("rationale", "explanation", "solution"),
}  # fmt: skip

SPEAKERS: Mapping[str, RoleName] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "function_response": "tool",
    "ipython": "tool",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
}

DIALOGUE_SPEAKERS: Mapping[str, RoleName] = {
    **{name: role for name, role in SPEAKERS.items() if role in ("user", "assistant")},
    "customer": "user",
    "client": "user",
    "caller": "user",
    "patient": "user",
    "student": "user",
    "agent": "assistant",
    "operator": "assistant",
    "representative": "assistant",
    "wizard": "assistant",
    "doctor": "assistant",
    "tutor": "assistant",
    "teacher": "assistant",
    "system": "assistant",
}
"""In a spoken dialogue the `system` is the machine that answers, not the prompt."""

FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "good", "up", "thumbs_up", "desirable", "chosen"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "bad", "down", "thumbs_down", "undesirable", "rejected"), False),
}
"""Labels that say by themselves whether an answer is wanted."""


def fold(name: str) -> str:
    """Return a name as it is compared."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")
