"""Which routes are open, held against a list written by hand."""

import pytest
from aiohttp import web

from service import app, context
from tests.client import ask, bearer, sign_in
from tests.conftest import Server, Settings

OPEN = {
    ("GET", "/"),
    ("GET", "/auth/bypass"),
    ("GET", "/auth/login"),
    ("GET", "/auth/logout"),
    ("POST", "/auth/logout"),
    ("GET", "/auth/revocations"),
    ("GET", "/static/{name}"),
    ("GET", "/api/"),
    ("GET", "/docs"),
    ("GET", "/docs/{name}"),
    ("GET", "/openapi.json"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/healthz"),
    ("GET", "/ping"),
    ("GET", "/readyz"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
}
CLOSED = {
    ("GET", "/auth/me"),
    ("GET", "/auth/token"),
    ("*", "/auth/verify"),
    ("*", "/oauth2/auth"),
}
MANAGERS = {
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("GET", "/api/v1/users/{id}"),
    ("PUT", "/api/v1/users/{id}"),
    ("PATCH", "/api/v1/users/{id}"),
    ("DELETE", "/api/v1/users/{id}"),
    ("POST", "/api/v1/users/{id}/sign-out"),
    ("GET", "/api/v1/roles"),
    ("POST", "/api/v1/roles"),
    ("DELETE", "/api/v1/roles/{id}"),
    ("GET", "/api/v1/audit"),
    ("GET", "/admin"),
    ("GET", "/admin/users/new"),
    ("POST", "/admin/users/new"),
    ("GET", "/admin/users/{id}"),
    ("POST", "/admin/users/{id}"),
    ("GET", "/admin/users/{id}/delete"),
    ("POST", "/admin/users/{id}/delete"),
    ("POST", "/admin/users/{id}/sign-out"),
    ("GET", "/admin/roles"),
    ("POST", "/admin/roles"),
    ("GET", "/admin/roles/{id}/delete"),
    ("POST", "/admin/roles/{id}/delete"),
    ("GET", "/admin/audit"),
}
NO_HEAD = {"/auth/bypass", "/auth/logout"}


def routes(application: web.Application) -> dict[tuple[str, str], object]:
    """Return every route of an application with its handler."""
    return {
        (route.method, route.resource.canonical): route.handler
        for route in application.router.routes()
        if route.resource is not None
    }


def test_exactly_these_routes_are_open(settings: Settings) -> None:
    found = routes(app.create_app(settings()))
    assert {key for key in found if key[0] != "HEAD"} == OPEN | CLOSED | MANAGERS
    for (method, path), handler in found.items():
        shown = ("GET" if method == "HEAD" else method, path)
        assert context.is_public(handler) == (shown in OPEN), shown
        role = "manage_users" if shown in MANAGERS else None
        assert context.needed_role(handler) == role, shown


def test_what_has_an_effect_does_not_answer_head(settings: Settings) -> None:
    found = routes(app.create_app(settings()))
    with_head = {path for method, path in found if method == "HEAD"}
    assert with_head == {path for method, path in found if method == "GET"} - NO_HEAD


def test_without_bypass_its_route_does_not_exist(settings: Settings) -> None:
    found = routes(app.create_app(settings(BYPASS_AUTH="false")))
    assert ("GET", "/auth/bypass") not in found


@pytest.mark.parametrize(("method", "path"), sorted(CLOSED))
def test_a_closed_route_needs_a_credential(server: Server, method: str, path: str) -> None:
    method = method.replace("*", "GET")
    assert ask(server.port, path, method).code == "credentials_missing"
    assert ask(server.port, path, method, headers=bearer(sign_in(server.port))).status == 200
