"""Caddy behind a program that ends TLS: links still lead back to the site's https address."""

import http.client
from collections.abc import Iterator

import pytest
import yaml

from tests.support.client import Answer, cookie, sign_in
from tests.support.proxied import NAVIGATION
from tests.support.proxies import COMMANDS, prepared, running
from tests.support.proxy_site import APP, DEPLOY, Deployment, enabled
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

SITE = f"https://{APP}"


@pytest.fixture(scope="module")
def inner(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Deployment]:
    """Yield Caddy with the application's site on plain HTTP, as the comment in its file says."""
    folder = tmp_path_factory.mktemp("inner")
    with prepared("caddy", folder) as site:
        site.server = start(**{**site.settings, "ALLOWED_REDIRECTS": SITE})
        command = COMMANDS["caddy"](site)
        path = folder / "Caddyfile"
        text = path.read_text()
        redirect = f"http://{APP} {{\n\tredir {SITE}{{uri}} 308\n}}\n"
        assert redirect in text
        path.write_text(text.replace(redirect, "").replace(f"\n{APP} {{", f"\nhttp://{APP} {{"))
        with running(site, command):
            yield site


def ask(site: Deployment, target: str, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", site.plain_port, timeout=20)
    try:
        connection.request("GET", target, headers={"Host": APP, **headers})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("told", [{}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "ftp"}])
def test_the_link_leads_back_to_https(inner: Deployment, told: dict[str, str]) -> None:
    answer = ask(inner, "/deep?a=1", **NAVIGATION, **told)
    assert answer.status == 302
    assert answer["Location"].endswith(
        "/auth/login?next=https%3A%2F%2Fapp.example.org%2Fdeep%3Fa%3D1"
    )


def test_the_application_is_told_the_scheme_of_the_browser(inner: Deployment) -> None:
    inner.application.received.clear()
    assert ask(inner, "/", **cookie(sign_in(inner.latchkey_port))).text == "admin"
    (seen,) = inner.application.received
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Host"]) == ("https", APP)


def test_traefik_has_the_fixed_address_too() -> None:
    parts = yaml.safe_load((DEPLOY / "traefik/dynamic.yml").read_text())["http"]["middlewares"]
    told = parts["app-host"]["headers"]["customRequestHeaders"]
    assert told == {"Host": APP, "X-Forwarded-Proto": "https", "X-Forwarded-Host": APP}
    for name in ("signed-in", "managers"):
        assert parts[name]["forwardAuth"]["trustForwardHeader"] is True
    removed = parts["clean"]["headers"]["customRequestHeaders"]
    assert {removed["X-Forwarded-Method"], removed["X-Forwarded-Uri"]} == {""}


def test_what_traefiks_file_offers_in_comments_is_good_yaml() -> None:
    text = (DEPLOY / "traefik/dynamic.yml").read_text()
    plain, more = (yaml.safe_load(each)["http"] for each in (text, enabled(text)))
    assert more["routers"].keys() - plain["routers"].keys() == {"app-preflight"}
    assert more["middlewares"].keys() - plain["middlewares"].keys() == {"signed-in-by-cookie"}
    router = more["routers"]["app-preflight"]
    assert router["middlewares"] == ["clean", "app-host"]
