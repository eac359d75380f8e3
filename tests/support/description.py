"""The description of the API, and whether an answer is as it says."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from service.web import openapi
from tests.support.client import Answer, ask
from tests.support.servers import Server

METHODS = {"get", "post", "put", "patch", "delete"}
BASE = "urn:description"

Operation = tuple[str, str]


def operations(document: openapi.Document) -> dict[Operation, dict[str, Any]]:
    """Return every operation of a description by its method and path."""
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def resolve(document: openapi.Document, value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a component."""
    while "$ref" in value:
        kind, name = value["$ref"].removeprefix("#/components/").split("/")
        value = document["components"][kind][name]
    return value


@pytest.fixture(scope="module")
def document(server: Server) -> openapi.Document:
    found: openapi.Document = ask(server.port, "/openapi.json").json
    return found


def validator(document: openapi.Document, schema: dict[str, Any]) -> Draft202012Validator:
    """Return what checks a value against a schema that refers to a description."""
    text = json.dumps(schema).replace('"#/components/', f'"{BASE}#/components/')
    resource = DRAFT202012.create_resource(document)
    return Draft202012Validator(
        json.loads(text),
        registry=Registry().with_resource(BASE, resource),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def assert_documented(document: openapi.Document, method: str, path: str, answer: Answer) -> None:
    """Hold an answer against the description: status, content type, headers, body."""
    described = operations(document)[method, path]["responses"]
    assert str(answer.status) in described, (method, path, answer.status, answer.text)
    response = resolve(document, described[str(answer.status)])
    for name, header in response["headers"].items():
        header = resolve(document, header)  # noqa: PLW2901
        values = answer.all(name)
        assert values or not header.get("required"), (method, path, answer.status, name)
        for value in values:
            validator(document, header["schema"]).validate(value)
    if "content" not in response:
        assert answer.body == b""
        return
    kind = answer["Content-Type"].partition(";")[0]
    assert kind in response["content"], (method, path, answer.status, kind)
    schema = response["content"][kind].get("schema")
    if schema is not None:
        body = answer.json if kind.endswith("json") else answer.text
        validator(document, schema).validate(body)
