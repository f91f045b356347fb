"""Tool-call examples: a request, the tools, and the calls that answer it, or none where no tool fits.

    method = ToolCalls(ToolCallsConfig(tools=({"name": "weather", "parameters": {...}},), examples_per_tool=5))
    made = method.make(method.plan(Inputs()), session)
    made.examples[0].messages[-1].tool_calls       (ToolCall(id="call_1", name="weather", arguments='{"city":"Rome"}'),)
    made.examples[0].tools                         the definitions that were shown, as JSON

Each example is about one tool, shown among others that are drawn by stable hash. Arguments are validated against the definition
(as in APIGen, Liu et al., 2024, whose first check this is). Some requests need several calls at once; some look as if a tool
fitted and none does, so that a model learns to leave tools alone. With `form: native` the request is then put to the teacher
with the tools, and its own calls are kept if they are of the tools that were meant.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.config import check, config
from curation.ids import canonical_json, content_hash, stable_bucket, stable_fraction
from curation.records import Message, ToolCall
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import InventedRows, Origin, check_request
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.methods.tool_definitions import ToolSet
from curation.synthesis.parse import UnusableError
from curation.synthesis.prompts.grounded import PASSAGE_CHARS
from curation.synthesis.prompts.tool_calls import CallKind, render_native, render_tool_request

STYLES = (
    "one short question",
    "a polite sentence that begins with the reason",
    "in a hurry, without greeting or full sentences",
    "two or three sentences with a detail that does not matter",
    "as an order to an assistant",
    "as part of a plan that the person describes",
    "precisely, as an expert of the field",
    "hesitantly, as somebody who is new to it",
)
"""How the people write whose requests are asked for."""
MAX_CALLS = 8


@config
class ToolCallsConfig:
    """Examples of calls of the tools that are defined here."""

    tools: tuple[dict[str, Any], ...]
    """Definitions as OpenAI function schemas: `{name, description, parameters}`, bare or under `function`."""

    examples_per_tool: int = 10
    """Examples asked for about each tool."""

    shown: int = 4
    """Tools shown in each example: the one that it is about and others drawn by stable hash."""

    irrelevant_share: float = 0.1
    """Share of the examples whose request no tool can answer, 0 to 1."""

    parallel_share: float = 0.2
    """Share of the examples whose request needs several calls at once, 0 to 1."""

    form: Literal["json", "native"] = "json"
    """`json` takes the calls that the teacher writes beside the request. `native` puts the request to the teacher with the
    tools as an API parameter and takes the calls that it really makes; for endpoints that support tools."""

    license: str = ""
    """Licence of the tool definitions."""

    system_prompt: str = ""
    """System message of every example; empty: none."""

    def __post_init__(self) -> None:
        known = ToolSet(self.tools)
        check(1 <= self.examples_per_tool <= 10_000, "examples_per_tool", "must lie in 1..10000", self.examples_per_tool)
        check(1 <= self.shown <= 64, "shown", "must lie in 1..64", self.shown)
        for name in ("irrelevant_share", "parallel_share"):
            check(0 <= getattr(self, name) <= 1, name, "must lie in [0, 1]", getattr(self, name))
        total = self.irrelevant_share + self.parallel_share
        check(total <= 1, "parallel_share", "and irrelevant_share are more than 1 together", total)
        sizes = sorted((len(canonical_json(tool)) + 1 for tool in known.tools), reverse=True)
        fits = sum(sizes[: self.shown]) <= PASSAGE_CHARS
        check(fits, "shown", f"tools would have more than {PASSAGE_CHARS} characters", self.shown)


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The payload of a unit."""

    tool: str
    shown: tuple[str, ...]
    kind: CallKind
    number: int
    style: str


@dataclass(frozen=True, kw_only=True)
class _Written:
    """A request with its calls, valid by the definitions."""

    unit: Unit
    request: str
    calls: tuple[ToolCall, ...]
    content: str
    answer: Answer


class ToolCalls:
    """See the module."""

    name = "tool_calls"

    def __init__(self, config: ToolCallsConfig) -> None:
        self.config = config
        self._tools = ToolSet(config.tools)

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return the units of all tools; kind, style and the other tools of each are drawn by its key."""
        units = [
            self._unit(tool, number, inputs.seed)
            for tool in self._tools.names
            for number in range(self.config.examples_per_tool)
        ]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def _unit(self, tool: str, number: int, seed: int) -> Unit:
        key = f"tools/{tool}#{self.name}/{number}"
        drawn = stable_fraction(key, f"kind {seed}")
        kind: CallKind = "single"
        if drawn < self.config.irrelevant_share + self.config.parallel_share:
            kind = "irrelevant" if drawn < self.config.irrelevant_share else "parallel"
        others = sorted(
            (name for name in self._tools.names if name != tool),
            key=lambda name: stable_fraction(f"{key}\n{name}", f"shown {seed}"),
        )
        shown = sorted(
            (tool, *others[: self.config.shown - 1]), key=lambda name: stable_fraction(f"{key}\n{name}", f"place {seed}")
        )
        style = STYLES[stable_bucket(key, len(STYLES), salt=f"style {seed}")]
        return Unit(key=key, slice=kind, payload=_Target(tool=tool, shown=tuple(shown), kind=kind, number=number, style=style))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Ask for requests with their calls; with `form: native` put the requests to the teacher as well."""
        rows = InventedRows(self.name)
        answers = session.ask([self._ask(unit) for unit in units])
        read = [self._read(unit, answer, rows) for unit, answer in zip(units, answers, strict=True)]
        written = [item for item in read if item is not None]
        if self.config.form == "native":
            self._call(written, session, rows)
        else:
            for item in written:
                self._add(item, item.calls, item.content, item.answer, (), rows)
        rows.examples = [_without_tools(example) for example in rows.examples]
        calling = sum(bool(example.messages[-1].tool_calls) for example in rows.examples)
        return rows.made(**({"share_with_call": calling / len(rows.examples)} if rows.examples else {}))

    def _ask(self, unit: Unit) -> Ask:
        target: _Target = unit.payload
        prompt = render_tool_request(self._tools.select(target.shown), target=target.tool, kind=target.kind, style=target.style)
        return Ask(key=unit.key, prompt=prompt, sample_index=target.number)

    def _origin(self, unit: Unit) -> Origin:
        shown = self._tools.select(unit.payload.shown)
        return Origin(group=unit.key, license=self.config.license, output_terms=(), depth=0, source_hash=content_hash(shown))

    def _read(self, unit: Unit, answer: Answer, rows: InventedRows) -> _Written | None:
        if rows.refuse(answer, unit.key, self._origin(unit)):
            return None
        request, content = answer.value["request"].strip(), answer.value["answer"].strip()
        try:
            check_request(request)
            calls = self._check_calls(unit.payload, [(call["name"], call["arguments"]) for call in answer.value["calls"]])
            self._check_kind(unit.payload, request, calls, content)
        except UnusableError as problem:
            rows.reject(unit.key, self._origin(unit), problem, answer.text)
            return None
        content = content if unit.payload.kind == "irrelevant" else ""
        return _Written(unit=unit, request=request, calls=calls, content=content, answer=answer)

    def _check_calls(self, target: _Target, calls: Sequence[tuple[str, str]]) -> tuple[ToolCall, ...]:
        """Return valid calls. Raises UnusableError."""
        if len(calls) > MAX_CALLS:
            raise UnusableError("too_many_calls", f"There are {len(calls)} calls.")
        hidden = next((name for name, _ in calls if name not in target.shown), None)
        if hidden is not None:
            raise UnusableError("unknown_tool", f"The tool '{hidden[:100]}' was not shown.")
        checked = [(name, self._tools.check_call(name, arguments)) for name, arguments in calls]
        if len(set(checked)) < len(checked):
            raise UnusableError("repeated_call", "The same call is made twice.")
        return tuple(
            ToolCall(id=f"call_{number}", name=name, arguments=arguments)
            for number, (name, arguments) in enumerate(checked, start=1)
        )

    def _check_kind(self, target: _Target, request: str, calls: Sequence[ToolCall], content: str) -> None:
        """Tell whether a request and its calls are of the kind that was asked for. Raises UnusableError."""
        named = next((name for name in target.shown if ("_" in name or "." in name) and name in request), None)
        if named is not None:
            raise UnusableError("names_the_tool", f"The request names the tool '{named}'.")
        least, most = {"single": (1, 1), "parallel": (2, MAX_CALLS), "irrelevant": (0, 0)}[target.kind]
        if not least <= len(calls) <= most:
            raise UnusableError("wrong_kind", f"A {target.kind} request has {len(calls)} calls.")
        if calls and target.tool not in [call.name for call in calls]:
            raise UnusableError("wrong_kind", f"The tool '{target.tool}' is not called.")
        if not calls and not content:
            raise UnusableError("empty_answer", "No tool is called and nothing is said.")

    def _call(self, written: Sequence[_Written], session: Session, rows: InventedRows) -> None:
        """Put the requests to the teacher with the tools; keep what it does if that is what was meant."""
        asks = [
            Ask(
                key=item.unit.key,
                prompt=render_native(item.request),
                parameters={"tools": self._tools.select(item.unit.payload.shown)},
            )
            for item in written
        ]
        for item, answer in zip(written, session.ask(asks), strict=True):
            if rows.refuse(answer, item.unit.key, self._origin(item.unit)):
                continue
            made = answer.reply.tool_calls if answer.reply is not None else ()
            try:
                calls = self._check_calls(item.unit.payload, [(call.name, call.arguments) for call in made])
                meant, found = (Counter(call.name for call in some) for some in (item.calls, calls))
                if meant != found:
                    detail = f"Meant were calls of {sorted(meant.elements())}, made were calls of {sorted(found.elements())}."
                    raise UnusableError("calls_differ", detail)
            except UnusableError as problem:
                rows.reject(item.unit.key, self._origin(item.unit), problem, f"{answer.text}\n{made}")
                continue
            self._add(item, calls, "" if calls else answer.text, answer, item.answer.request_ids, rows)

    def _add(
        self,
        item: _Written,
        calls: tuple[ToolCall, ...],
        content: str,
        answer: Answer,
        earlier: Sequence[str],
        rows: InventedRows,
    ) -> None:
        system = (Message(role="system", content=self.config.system_prompt),) if self.config.system_prompt else ()
        asked = Message(role="user", content=item.request)
        last = Message(role="assistant", content=content, tool_calls=calls)
        tools = canonical_json(self._tools.select(item.unit.payload.shown))
        origin = self._origin(item.unit)
        rows.add_example(f"{item.unit.key}/0", (*system, asked, last), answer, origin=origin, earlier=earlier, tools=tools)


def _without_tools(example: Any) -> Any:
    """Return a row whose sampling parameters do not repeat the definitions, which stand in `tools`."""
    sampling = json.loads(example.provenance.sampling)
    if "tools" not in sampling:
        return example
    del sampling["tools"]
    return dataclasses.replace(example, provenance=dataclasses.replace(example.provenance, sampling=canonical_json(sampling)))
