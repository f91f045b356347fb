"""The official description of the OpenAI API accepts every request that we send: chat completions, files and batches.

The description is not part of the project: it is looked for beside the repository, and without it these tests are skipped.
"""

import importlib
import json
import lzma
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml

from curation.chat_model import ChatReply, ChatRequest
from curation.records import Message, ToolCall
from curation.synthesis import prompts
from curation.synthesis.asking import Ask, Session, SessionTeacher
from curation.synthesis.batch import BatchStore, poll_batches, submit_batch
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.prompts.template import STRING, Template, object_schema, render
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.batch.batch_server import BatchServer, Call, batch_server, read_form
from tests.curation.synthesis.batch.conftest import Clock, clock, store
from tests.curation.synthesis.fault_server import answer, chat, fault_server, hang_up, refuse

__all__ = ["clock", "store"]  # fixtures
DESCRIPTION = Path(__file__).parents[5] / "shared" / "openai-openapi.yaml.xz"
pytestmark = [
    pytest.mark.slow,  # the description alone takes seconds to read
    pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the description of the OpenAI API is not at {DESCRIPTION.name}"),
]

SCHEMA = object_schema({"title": STRING})
TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": SCHEMA, "strict": True}}
CALL = ToolCall(id="call_1", name="look", arguments='{"title": "tea"}')
TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Look \x00 \U0001f600"),
    Message(role="assistant", content="", tool_calls=(CALL,)),
    Message(role="tool", content="tea", tool_call_id="call_1"),
    Message(role="assistant", content="Tea."),
    Message(role="user", content="And now?"),
)
REQUESTS = {
    "plain": ChatRequest(messages=TALK[1:2]),
    "sampling": ChatRequest(messages=TALK[:2], parameters={"max_tokens": 100, "temperature": 0.7, "seed": 2**31 - 1}),
    "schema": ChatRequest(messages=TALK[:2], schema=SCHEMA, parameters={"max_tokens": 100}, sample_index=3),
    "talk": ChatRequest(messages=TALK, parameters={"tools": [TOOL], "tool_choice": "auto"}),
    "tools": ChatRequest(
        messages=TALK[:2], parameters={"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    ),
    "more": ChatRequest(messages=TALK[:2], parameters={"top_p": 0.9, "reasoning_effort": "low", "stop": ["\n"]}),
}
CONFIGS: dict[str, dict[str, Any]] = {
    "auto": {},
    "json_object": {"structured_output": "json_object"},
    "none": {"structured_output": "none"},
    "stream": {"stream": True},
}


@pytest.fixture(scope="module")
def description() -> Any:
    text = lzma.decompress(DESCRIPTION.read_bytes())
    read = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    mend(read["components"]["schemas"])
    return read


def mend(schema: Any) -> None:
    """Turn what is left of OpenAPI 3.0 into JSON Schema: `nullable`, and `exclusiveMinimum: true`."""
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        mend(value)
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("exclusiveMinimum"), bool) and schema.pop("exclusiveMinimum"):
        schema["exclusiveMinimum"] = schema.pop("minimum")
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]


@pytest.fixture(scope="module")
def check_chat(description: Any) -> Callable[[Any], None]:
    """Return what fails for a body that is no request for a chat completion, or holds a field that the API does not know."""
    schemas = description["components"]["schemas"]
    validator = validator_of(description, "CreateChatCompletionRequest")
    known = set(properties_of(schemas, schemas["CreateChatCompletionRequest"]))
    assert {"messages", "model", "temperature", "top_p", "seed", "tools", "stream_options"} <= known

    def check(body: Any) -> None:
        validator.validate(body)
        assert set(body) <= known

    return check


def validator_of(description: Any, name: str) -> Any:
    root = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    return jsonschema.Draft202012Validator(root)


def properties_of(schemas: Any, schema: Any) -> Iterator[str]:
    if "$ref" in schema:
        yield from properties_of(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    yield from schema.get("properties", {})
    for part in schema.get("allOf", []):
        yield from properties_of(schemas, part)


def test_the_description_can_say_no(check_chat: Callable[[Any], None]) -> None:
    good = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    check_chat(good)
    wrong: list[dict[str, Any]] = [
        {"messages": []},
        {"messages": [{"role": "king", "content": "x"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"temperature": 3},
        {"temperature": "hot"},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        {"tools": [{"type": "function", "function": {"parameters": {}}}]},
        {"stream_options": {"include_usage": "yes"}},
    ]
    for change in wrong:
        with pytest.raises(jsonschema.ValidationError):
            check_chat(good | change)
    with pytest.raises(AssertionError):
        check_chat(good | {"max_words": 5})


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", REQUESTS)
def test_live_requests(check_chat: Callable[[Any], None], name: str, config: str) -> None:
    with fault_server([chat('{"title": "Tea"}')]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url, **CONFIGS[config]))
        assert isinstance(teacher.complete(REQUESTS[name]), ChatReply)
        teacher.close()
    (seen,) = server.requests
    check_chat(seen.body)
    assert ("stream" in seen.body) == (config == "stream")
    has_format = REQUESTS[name].schema is not None and config != "none"
    assert ("response_format" in seen.body) == has_format


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_raw_prompt(description: Any, is_streamed: bool) -> None:
    parameters = {"raw_prompt": "<|user|>", "stop": ["<|end|>"], "max_tokens": 9, "temperature": 1.0, "seed": 3}
    with fault_server([answer(200, b'{"choices": [{"text": "x", "finish_reason": "stop"}]}')]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url, stream=is_streamed))
        assert teacher.complete(ChatRequest(messages=TALK[1:2], parameters=parameters)).text == "x"
        teacher.close()
    (seen,) = server.requests
    schemas = description["components"]["schemas"]
    validator_of(description, "CreateCompletionRequest").validate(seen.body)
    assert set(seen.body) <= set(properties_of(schemas, schemas["CreateCompletionRequest"]))
    assert f"{seen.path.removeprefix('/v1')}" in description["paths"]


def test_requests_in_another_form_after_a_refusal(check_chat: Callable[[Any], None]) -> None:
    refusals = [
        refuse(400, "Unsupported parameter: use 'max_completion_tokens' instead"),
        refuse(400, "Unknown parameter: 'stream_options'"),
        refuse(400, "response_format is not supported"),
    ]
    with fault_server([*refusals, chat('{"title": "Tea"}')]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url, stream=True))
        teacher.complete(REQUESTS["schema"])
        teacher.close()
    assert len(server.requests) == 4
    for seen in server.requests:
        check_chat(seen.body)
    assert "max_completion_tokens" in server.requests[-1].body


def test_a_correction(check_chat: Callable[[Any], None], ledger: RequestLedger) -> None:
    template = Template(template_id="t-1", system="Name it.", text="Name {what}.", schema=SCHEMA)
    with fault_server([chat("prose"), chat('{"title": "Tea"}')]) as server:
        config = TeacherConfig(kind="openai", model="m", base_url=server.url, concurrency=1)
        model = OpenAIChatModel(config)
        session = Session([SessionTeacher(config=config, model=model)], ledger)
        (answer,) = session.ask([Ask(key="a", prompt=render(template, what="it"))])
        model.close()
    assert answer.value == {"title": "Tea"}
    assert len(server.requests) == 2
    for seen in server.requests:
        check_chat(seen.body)


def all_templates() -> dict[str, Template]:
    modules = [importlib.import_module(f"{prompts.__name__}.{info.name}") for info in pkgutil.iter_modules(prompts.__path__)]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Template)
    }


@pytest.mark.parametrize("name", sorted(all_templates()))
def test_the_schemas_of_all_templates(check_chat: Callable[[Any], None], name: str) -> None:
    """`strict` allows objects only whose properties are all required, and no others."""
    template = all_templates()[name]
    model = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1"))
    check_chat(model.request_body(ChatRequest(messages=TALK[:2], schema=template.schema)))
    for schema in objects_of(template.schema):
        assert schema.get("additionalProperties") is False, schema
        assert sorted(schema.get("required", [])) == sorted(schema.get("properties", {})), schema


def objects_of(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects_of(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_of(value)


@pytest.fixture
def used_server(
    ledger: RequestLedger, store: BatchStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BatchServer]:
    """An endpoint that got every call that there is: a batch whose creation was lost is made again, cancelled and harvested."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    with batch_server() as server:
        teacher = TeacherConfig(kind="openai", model="m", base_url=server.url)
        server.failures["POST /v1/batches"] = [hang_up]
        submit_batch(list(REQUESTS.values()), teacher, ledger, store)
        clock.now += 1000.0
        poll_batches(store, ledger)
        clock.now += 30 * 3600.0
        poll_batches(store, ledger)
        server.finish(status="cancelled")
        poll_batches(store, ledger)
        yield server


def test_files(description: Any, used_server: BatchServer) -> None:
    schema = description["components"]["schemas"]["CreateFileRequest"]
    uploads = [call for call in used_server.calls if call.name == "POST /v1/files"]
    assert uploads
    for call in uploads:
        form = read_form(call)
        assert set(schema["required"]) <= set(form) <= set(schema["properties"])
        assert form["purpose"][1].decode() in schema["properties"]["purpose"]["enum"]
        file_name, content = form["file"]
        assert file_name is not None
        assert file_name.endswith(".jsonl")
        assert len(content) < 200_000_000


def test_lines_of_batches(description: Any, used_server: BatchServer, check_chat: Callable[[Any], None]) -> None:
    endpoints = description["components"]["schemas"]["CreateBatchRequest"]["properties"]["endpoint"]["enum"]
    lines = used_server.lines("batch_1")
    assert len(lines) == len({line["custom_id"] for line in lines}) == len(REQUESTS)
    for line in lines:
        assert set(line) == {"custom_id", "method", "url", "body"}
        assert line["method"] == "POST"
        assert line["url"] in endpoints
        check_chat(line["body"])
        assert "stream" not in line["body"]


def test_batches(description: Any, used_server: BatchServer) -> None:
    created = [json.loads(call.body) for call in used_server.calls if call.name == "POST /v1/batches"]
    assert len(created) == 2
    schema = description["components"]["schemas"]["CreateBatchRequest"]
    for body in created:
        validator_of(description, "CreateBatchRequest").validate(body)
        assert set(body) <= set(schema["properties"])
        assert all(len(name) <= 64 and len(value) <= 512 for name, value in body["metadata"].items())


def test_every_call_of_the_batch_api_is_in_the_description(description: Any, used_server: BatchServer) -> None:
    used = {name for call in used_server.calls if (name := check_path(description, call))}
    assert used == {
        "POST /files",
        "POST /batches",
        "GET /batches",
        "GET /batches/{batch_id}",
        "POST /batches/{batch_id}/cancel",
        "GET /files/{file_id}/content",
    }


def check_path(description: Any, call: Call) -> str:
    """Return the path of the description that a call is to; its query must be as described."""
    path = urlsplit(call.path).path.removeprefix("/v1")
    for template, methods in description["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and call.method.lower() in methods:
            operation = methods[call.method.lower()]
            parameters = {item["name"]: item for item in operation.get("parameters", []) if item["in"] == "query"}
            query = parse_qs(call.query)
            assert set(query) <= set(parameters)
            assert all(name != "limit" or 1 <= int(value[0]) <= 100 for name, value in query.items())
            assert call.headers["authorization"].startswith("Bearer ")
            return f"{call.method} {template}"
    raise AssertionError(f"{call.name} is not in the description")
