"""The description of the API: its paths are the router's, its codes ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service import __version__, app
from service.endpoints import docs
from service.web import openapi
from tests.http.test_docs import problems
from tests.support.client import ask
from tests.support.description import Operation, document, operations, resolve, validator
from tests.support.environment import EVERYTHING, ROOT, Settings
from tests.support.servers import Server, Start

__all__ = ["document"]


def router(settings: Settings, **changes: str) -> set[Operation]:
    """Return every route but preflights; one for any method is described by its GET."""
    return {
        (route.method.replace("*", "GET"), route.resource.canonical)
        for route in app.create_app(settings(**changes)).router.routes()
        if route.resource is not None and route.method not in {"HEAD", "OPTIONS"}
    }


def everything(settings: Settings) -> set[Operation]:
    """Return the routes that there are with everything switched on."""
    return router(settings, **EVERYTHING)


def test_it_is_valid(settings: Settings, document: openapi.Document) -> None:
    OpenAPIV31SpecValidator(document).validate()
    OpenAPIV31SpecValidator(openapi.describe(settings(), everything(settings))).validate()


def test_its_operations_are_the_routes(settings: Settings, document: openapi.Document) -> None:
    assert operations(document).keys() == router(settings)
    described = openapi.describe(settings(), everything(settings))
    assert operations(described).keys() == everything(settings)


def test_each_operation_has_a_name_a_summary_and_a_known_tag(settings: Settings) -> None:
    described = openapi.describe(settings(), everything(settings))
    found = operations(described).values()
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in found)
    tags = [tag for operation in found for tag in operation["tags"]]
    assert set(tags) == {tag["name"] for tag in described["tags"]}


def test_its_codes_are_ours(document: openapi.Document) -> None:
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert sorted(codes) == sorted({kind.code for kind in problems()})


def test_each_code_stands_with_its_status(settings: Settings) -> None:
    statuses = {(kind.code, kind.status) for kind in problems()}
    described = openapi.describe(settings(), everything(settings))
    for operation in operations(described).values():
        for status, response in operation["responses"].items():
            content = resolve(described, response).get("content", {})
            if "application/problem+json" in content:
                narrowed = content["application/problem+json"]["schema"]["allOf"][1]["properties"]
                code = narrowed["code"]
                assert narrowed["status"] == {"const": int(status)}
                for word in code.get("enum", [code.get("const")]):
                    assert (word, int(status)) in statuses, word


def test_objects_are_closed_and_descriptions_of_bodies_complete(settings: Settings) -> None:
    described = openapi.describe(settings(), everything(settings))
    schemas = described["components"]["schemas"]
    for name, schema in schemas.items():
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False, name


def test_examples_fit_their_schemas(settings: Settings) -> None:
    described = openapi.describe(settings(), everything(settings))

    def examples(value: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, dict):
            if {"schema", "example"} <= value.keys():
                yield value["schema"], value["example"]
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from examples(each)

    found = list(examples(described))
    assert len(found) > 10
    for schema, example in found:
        validator(described, schema).validate(example)


def test_it_names_this_server_its_version_and_its_cookie(start: Start) -> None:
    server = start(COOKIE_NAME="session", PUBLIC_URL="http://localhost:7999")
    document = ask(server.port, "/openapi.json").json
    assert document["servers"] == [{"url": "http://localhost:7999"}]
    assert document["info"]["version"] == __version__
    assert document["components"]["securitySchemes"]["cookie"]["name"] == "session"
    assert "x-shared" not in document


def test_without_bypass_it_is_nowhere_in_it(start: Start) -> None:
    answer = ask(start(BYPASS_AUTH="false").port, "/openapi.json")
    assert "/auth/bypass" not in answer.text
    OpenAPIV31SpecValidator(answer.json).validate()


def test_without_bypass_the_other_routes_stay(settings: Settings) -> None:
    routes = router(settings, BYPASS_AUTH="false")
    described = operations(openapi.describe(settings(BYPASS_AUTH="false"), routes))
    assert described.keys() == router(settings) - {("GET", "/auth/bypass")}


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui.css", "/static/docs.js"])
def test_a_file_that_one_has_is_not_sent_again(server: Server, path: str) -> None:
    first = ask(server.port, path)
    for known in (first["ETag"], f'"other", {first["ETag"]}', "*", f"W/{first['ETag']}"):
        again = ask(server.port, path, headers={"If-None-Match": known})
        assert (again.status, again.body, again["ETag"]) == (304, b"", first["ETag"])
    assert ask(server.port, path, headers={"If-None-Match": '"other"'}).status == 200


def test_the_page_has_a_policy_of_its_own(server: Server) -> None:
    page = ask(server.port, "/docs")
    assert page["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert page.text.count("<script") == page.text.count("<script src=")
    assert "script-src" not in ask(server.port, "/")["Content-Security-Policy"]


async def test_a_description_that_failed_is_made_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = app.create_app(settings())
    with monkeypatch.context() as patch:
        patch.setattr(openapi, "_FILE", ROOT / "no such file")
        with pytest.raises(FileNotFoundError):
            await made[docs.DESCRIPTION].get(made)
    assert b"/auth/me" in (await made[docs.DESCRIPTION].get(made)).body
