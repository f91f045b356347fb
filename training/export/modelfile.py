"""Ollama's Modelfile, with the model's own chat template turned into Go's template language.

The most frequent fault of exported models is a chat template that differs from the one trained with. So the Go template
is found by rendering the original with marked messages, and kept only if it gives the same prompts as the original for
several conversations of our own and for the held-out ones. Otherwise the Modelfile has no TEMPLATE and says why.

    made = write_modelfile(folder, config, stops=["<|end|>"], rendered=[RenderedPrompt(example.prompt, text)])
    made.text, made.refusal                     text for the file, "" (or why there is no TEMPLATE)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curation.records import Message

Turn = tuple[str, str]
_TRIALS: tuple[tuple[Turn, ...], ...] = (
    (("user", "Hi"),),
    (("user", "One?"), ("assistant", "1."), ("user", "Two?")),
    (("system", "Be short."), ("user", "A\nb")),
    (("system", "S"), ("user", "u"), ("assistant", "a"), ("user", "v"), ("assistant", "w"), ("user", "x")),
)


class ChatFormat(NamedTuple):
    """What stands around the content of each turn, and before the answer."""

    start: str
    turns: Mapping[str, tuple[str, str]]
    answer: str

    def render(self, conversation: Sequence[Turn]) -> str:
        """Return the prompt for a conversation."""
        body = "".join(self.turns[role][0] + content + self.turns[role][1] for role, content in conversation)
        return self.start + body + self.answer


class RenderedPrompt(NamedTuple):
    """The messages of a prompt, and the text that the model was given for them in training."""

    messages: Sequence[Message]
    text: str
    tools: str = ""


class Modelfile(NamedTuple):
    """A Modelfile, and why it has no template; empty if it has one."""

    text: str
    refusal: str


def write_modelfile(
    model_folder: Path, config: Mapping[str, Any], *, stops: Sequence[str], rendered: Sequence[RenderedPrompt]
) -> Modelfile:
    """Return the Modelfile of a model folder. It never raises for a strange template; it then leaves TEMPLATE out.

    Args:
        model_folder: with the tokenizer and its chat template.
        config: of the model.
        stops: texts of the tokens at which generation stops.
        rendered: prompts which the template has to give as they were in training.
    """
    lines = ["FROM .", "PARAMETER temperature 0"]
    context = config.get("max_position_embeddings")
    lines += [f"PARAMETER num_ctx {context}"] if isinstance(context, int) else []
    settings = _tokenizer_settings(model_folder)
    lines += [f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}" for stop in stops]
    found = find_format(settings["chat_template"], bos_token=settings["bos_token"], eos_token=settings["eos_token"])
    refusal = "it is not made of fixed text around each turn" if found is None else _why_not(found, rendered)
    if found is None or refusal:
        lines.append(f"# No TEMPLATE: the chat template has no equivalent in Ollama's language; {refusal}.")
        lines.append("# Render prompts with the tokenizer in this folder and send them with raw: true.")
    else:
        lines.append(f'TEMPLATE """{go_template(found)}"""')
    return Modelfile("\n".join(lines) + "\n", refusal)


def _why_not(found: ChatFormat, rendered: Sequence[RenderedPrompt]) -> str:
    for prompt in rendered:
        if prompt.tools or any(message.tool_calls or message.role not in found.turns for message in prompt.messages):
            return "conversations call tools"
        if found.render([(message.role, message.content) for message in prompt.messages]) != prompt.text:
            return "it would render a held-out conversation in another way"
    return ""


def find_format(template: str, *, bos_token: str, eos_token: str) -> ChatFormat | None:
    """Return the format of a chat template, or None if it is not made of fixed text around each turn.

    Args:
        template: Jinja source; empty for none. It is run in a sandbox.
        bos_token: text of the token; it stands at the start at most once.
        eos_token: text of the end-of-turn token.
    """
    if not template:
        return None
    tokens = {"bos_token": bos_token, "eos_token": eos_token}
    try:
        return _measure(template, tokens)
    except Exception:
        return None


def _measure(template: str, tokens: dict[str, str]) -> ChatFormat | None:
    def render(*conversation: Turn, ask: bool = True) -> str:
        return _render(template, conversation, tokens, ask=ask)

    start = tokens["bos_token"] if tokens["bos_token"] and render(("user", "@1")).startswith(tokens["bos_token"]) else ""
    asked, answered = render(("user", "@1"), ask=False), render(("user", "@1"), ("assistant", "@2"), ask=False)
    user = _around(asked.removeprefix(start), "@1")
    assistant = _around(answered.removeprefix(asked), "@2")
    with_system = render(("system", "@0"), ("user", "@1"), ask=False).removeprefix(start)
    system = _around(with_system.removesuffix(user[0] + "@1" + user[1]), "@0")
    turns = {"system": system, "user": user, "assistant": assistant}
    found = ChatFormat(start, turns, render(("user", "@1")).removeprefix(asked))
    return found if all(found.render(trial) == render(*trial) for trial in _TRIALS) else None


def _around(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found or mark in after:
        raise ValueError("the content stands there not exactly once")
    return before, after


def _render(template: str, conversation: Sequence[Turn], tokens: Mapping[str, str], *, ask: bool) -> str:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701
    environment.globals["raise_exception"] = _refuse
    messages = [{"role": role, "content": content} for role, content in conversation]
    return environment.from_string(template).render(messages=messages, add_generation_prompt=ask, **tokens)


def _refuse(message: str) -> str:
    raise ValueError(message)


def go_template(found: ChatFormat) -> str:
    """Return the format in Go's template language. The start token is left to Ollama, which adds it by itself."""
    roles = "".join(
        f'{{{{ {"if" if index == 0 else "else if"} eq .Role "{role}" }}}}{_go_text(before)}{{{{ .Content }}}}{_go_text(after)}'
        for index, (role, (before, after)) in enumerate(found.turns.items())
    )
    return f"{{{{ range .Messages }}}}{roles}{{{{ end }}}}{{{{ end }}}}{_go_text(found.answer)}"


def _go_text(text: str) -> str:
    return "" if not text else f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"


def _tokenizer_settings(model_folder: Path) -> dict[str, str]:
    settings: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        try:
            parsed = json.loads((model_folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        settings |= parsed if isinstance(parsed, dict) else {}
    file = model_folder / "chat_template.jinja"
    if file.exists():
        settings["chat_template"] = file.read_text()
    return {name: _token_text(settings.get(name)) for name in ("bos_token", "eos_token", "chat_template")}


def _token_text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""
