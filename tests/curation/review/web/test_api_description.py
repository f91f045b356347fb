"""The OpenAPI description: it names every refusal, and its links lead from an answer to a call that takes it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from curation.review.accounts.person import Person
from curation.review.queue import ReviewQueue
from curation.review.web.api_description import LINKS, describe
from curation.review.web.app import create_app
from curation.review.web.site import OnePerson


@pytest.fixture
def app(queue: ReviewQueue) -> FastAPI:
    return create_app({"demo": queue}, OnePerson(Person(name="Ada", role="lead")))


@pytest.fixture
def described(app: FastAPI) -> dict[str, Any]:
    return describe(app)


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for methods in described["paths"].values() for operation in methods.values()}


def expressions(value: Any) -> Iterator[str]:
    """Every pointer into the answer that a link names."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from expressions(each)
    else:
        yield from re.findall(r"\$response\.body#(/[\w/]+)", str(value))


def resolve(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and take what is there where a value may be null."""
    if "$ref" in schema:
        return resolve(described["components"]["schemas"][schema["$ref"].rpartition("/")[2]], described)
    if "anyOf" in schema:
        return resolve(next(option for option in schema["anyOf"] if option.get("type") != "null"), described)
    return schema


def test_each_call_names_what_it_may_be_refused_with(described: dict[str, Any]) -> None:
    found = {name: set(operation["responses"]) for name, operation in operations(described).items()}
    assert {"claim", "record_verdicts", "show_item", "export_items", "list_lots", "read_agreement"} <= set(found)
    assert all({"200", "400", "401", "403", "404", "422", "503"} <= codes for codes in found.values())
    with_body = {name for name, operation in operations(described).items() if "requestBody" in operation}
    assert {name for name, codes in found.items() if {"413", "415"} & codes} == with_body
    assert {name for name, codes in found.items() if "409" in codes} == {"claim", "extend_lease", "undo_verdict"}
    assert "HTTPValidationError" not in str(described)


def test_every_link_takes_what_the_answer_holds_and_what_the_next_call_asks_for(described: dict[str, Any]) -> None:
    known = operations(described)
    num_pointers = 0
    for source, links in LINKS.items():
        assert known[source]["responses"]["200"]["links"].keys() == links.keys()
        for link in links.values():
            target = known[link["operationId"]]
            names = {parameter["name"] for parameter in target["parameters"]}
            assert set(link.get("parameters", {})) <= names
            if "requestBody" in link:
                body = resolve(target["requestBody"]["content"]["application/json"]["schema"], described)
                assert set(body["required"]) <= set(link["requestBody"]) <= set(body["properties"])
            for pointer in expressions(link):
                schema = resolve(known[source]["responses"]["200"]["content"]["application/json"]["schema"], described)
                for part in pointer.strip("/").split("/"):
                    inner = schema["items"] if part.isdecimal() else schema["properties"][part]
                    schema = resolve(inner, described)
                num_pointers += 1
    assert num_pointers > 10
