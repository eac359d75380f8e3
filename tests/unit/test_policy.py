"""Which routes are open, held against a list written by hand."""

import pytest
from aiohttp import web

from service import app
from service.web import access
from tests.support.client import ask, bearer, sign_in
from tests.support.environment import EVERYTHING, PROVIDERS, Settings
from tests.support.servers import Server

OPEN = {
    ("GET", "/"),
    ("GET", "/auth/bypass"),
    ("GET", "/auth/cas"),
    ("POST", "/auth/cas"),
    ("GET", "/auth/oidc"),
    ("GET", "/auth/oidc/callback"),
    ("POST", "/auth/oidc/logout"),
    ("GET", "/auth/oidc/{provider}"),
    ("GET", "/auth/oidc/{provider}/callback"),
    ("GET", "/auth/login"),
    ("POST", "/auth/password"),
    ("GET", "/auth/password/code"),
    ("POST", "/auth/password/code"),
    ("POST", "/auth/password/setup"),
    ("GET", "/auth/links/{secret}"),
    ("POST", "/auth/links/{secret}"),
    ("POST", "/auth/links/{secret}/passkey/options"),
    ("POST", "/auth/passkey"),
    ("POST", "/auth/passkey/options"),
    ("GET", "/auth/logout"),
    ("POST", "/auth/logout"),
    ("GET", "/auth/revocations"),
    ("GET", "/static/{name}"),
    ("GET", "/api/"),
    ("GET", "/docs"),
    ("GET", "/docs/{name}"),
    ("GET", "/openapi.json"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/feed-jwks.json"),
    ("GET", "/.well-known/assertion-jwks.json"),
    ("GET", "/healthz"),
    ("GET", "/ping"),
    ("GET", "/readyz"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
}
OPEN_TO_PREFLIGHTS = {
    ("OPTIONS", "/auth/revocations"),
    ("OPTIONS", "/.well-known/jwks.json"),
    ("OPTIONS", "/.well-known/feed-jwks.json"),
    ("OPTIONS", "/.well-known/assertion-jwks.json"),
}
CLOSED = {
    ("GET", "/account"),
    ("GET", "/auth/me"),
    ("GET", "/auth/token"),
    ("*", "/auth/verify"),
    ("*", "/oauth2/auth"),
}
CREDENTIALS = {
    ("GET", "/account/password"),
    ("POST", "/auth/account/password"),
    ("POST", "/auth/account/totp"),
    ("POST", "/auth/account/totp/confirm"),
    ("DELETE", "/auth/account/totp"),
    ("GET", "/account/codes"),
    ("POST", "/account/codes"),
    ("POST", "/account/codes/confirm"),
    ("POST", "/account/codes/delete"),
    ("GET", "/account/passkeys"),
    ("GET", "/auth/account/passkeys"),
    ("POST", "/auth/account/passkeys"),
    ("POST", "/auth/account/passkeys/options"),
    ("PATCH", "/auth/account/passkeys/{id}"),
    ("DELETE", "/auth/account/passkeys/{id}"),
}
"""Closed, and only there while their way to sign in is on."""
MANAGERS = {
    ("GET", "/api/v1/users"),
    ("POST", "/api/v1/users"),
    ("GET", "/api/v1/users/{id}"),
    ("PUT", "/api/v1/users/{id}"),
    ("PATCH", "/api/v1/users/{id}"),
    ("DELETE", "/api/v1/users/{id}"),
    ("POST", "/api/v1/users/{id}/sign-out"),
    ("GET", "/api/v1/users/{id}/identities"),
    ("POST", "/api/v1/users/{id}/identities"),
    ("DELETE", "/api/v1/users/{id}/identities"),
    ("POST", "/api/v1/users/{id}/links"),
    ("GET", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations"),
    ("DELETE", "/api/v1/invitations/{id}"),
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
    ("POST", "/admin/users/{id}/totp-reset"),
    ("GET", "/admin/users/{id}/accounts"),
    ("POST", "/admin/users/{id}/accounts"),
    ("POST", "/admin/users/{id}/accounts/unlink"),
    ("GET", "/admin/roles"),
    ("POST", "/admin/roles"),
    ("GET", "/admin/roles/{id}/delete"),
    ("POST", "/admin/roles/{id}/delete"),
    ("POST", "/admin/users/{id}/links"),
    ("GET", "/admin/invitations"),
    ("POST", "/admin/invitations"),
    ("POST", "/admin/invitations/{id}/revoke"),
    ("GET", "/admin/audit"),
}
OPENID = {path for _, path in OPEN if path.startswith("/auth/oidc")}
NO_HEAD = {"/auth/bypass", "/auth/cas", "/auth/logout", *OPENID}
COOKIELESS = {("POST", "/auth/cas"), ("POST", "/auth/oidc/logout")}


def routes(application: web.Application) -> dict[tuple[str, str], object]:
    """Return every route of an application with its handler."""
    return {
        (route.method, route.resource.canonical): route.handler
        for route in application.router.routes()
        if route.resource is not None
    }


def test_exactly_these_routes_are_open(settings: Settings) -> None:
    found = routes(app.create_app(settings(**EVERYTHING)))
    is_open = OPEN | OPEN_TO_PREFLIGHTS
    assert {key for key in found if key[0] != "HEAD"} == is_open | CLOSED | CREDENTIALS | MANAGERS
    for (method, path), handler in found.items():
        shown = ("GET" if method == "HEAD" else method, path)
        assert access.rules(handler).public == (shown in is_open), shown
        role = "manage_users" if shown in MANAGERS else None
        assert access.rules(handler).role == role, shown
        assert access.rules(handler).csrf_exempt == (shown in COOKIELESS), shown


def test_preflights_of_the_api_are_open_with_listed_origins(settings: Settings) -> None:
    listed = settings(**EVERYTHING, CORS_ORIGINS="http://localhost:5173")
    found = routes(app.create_app(listed))
    api = {path for _, path in MANAGERS if path.startswith("/api/v1/")}
    asked = {("OPTIONS", path) for path in (api | {"/auth/me", "/auth/token"})}
    options = {key for key in found if key[0] == "OPTIONS"}
    assert options == OPEN_TO_PREFLIGHTS | asked
    assert all(access.rules(found[key]).public for key in options)
    assert found.keys() - asked == routes(app.create_app(settings(**EVERYTHING))).keys()


def test_what_has_an_effect_does_not_answer_head(settings: Settings) -> None:
    found = routes(app.create_app(settings(**EVERYTHING)))
    with_head = {path for method, path in found if method == "HEAD"}
    assert with_head == {path for method, path in found if method == "GET"} - NO_HEAD


def test_without_cas_its_routes_do_not_exist(settings: Settings) -> None:
    assert not any(path == "/auth/cas" for _, path in routes(app.create_app(settings())))


@pytest.mark.parametrize(
    ("on", "there"),
    [
        ((), set()),
        (("OIDC_ISSUER", "OIDC_CLIENT_ID"), {"", "/callback", "/logout"}),
        (
            ("OIDC_PROVIDERS", "OIDC_CAMPUS_ISSUER", "OIDC_CAMPUS_CLIENT_ID"),
            {"", "/logout", "/{provider}", "/{provider}/callback"},
        ),
    ],
)
def test_the_routes_of_openid_are_those_of_the_providers_that_are_on(
    settings: Settings, on: tuple[str, ...], there: set[str]
) -> None:
    found = routes(app.create_app(settings(**{name: PROVIDERS[name] for name in on})))
    assert {path for _, path in found} & OPENID == {f"/auth/oidc{path}" for path in there}


def test_without_bypass_its_route_does_not_exist(settings: Settings) -> None:
    found = routes(app.create_app(settings(BYPASS_AUTH="false")))
    assert ("GET", "/auth/bypass") not in found


@pytest.mark.parametrize(("method", "path"), sorted(CLOSED))
def test_a_closed_route_needs_a_credential(server: Server, method: str, path: str) -> None:
    method = method.replace("*", "GET")
    assert ask(server.port, path, method).code == "credentials_missing"
    assert ask(server.port, path, method, headers=bearer(sign_in(server.port))).status == 200


def test_without_a_way_to_sign_in_its_routes_do_not_exist(settings: Settings) -> None:
    found = routes(app.create_app(settings()))
    assert not found.keys() & {*CREDENTIALS, ("POST", "/auth/password")}
