"""Proxies behind a program that ends TLS: everybody is told the site's https address."""

import http.client
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.client import Answer, cookie, sign_in
from tests.support.proxied import NAVIGATION
from tests.support.proxies import COMMANDS, PROGRAMS, prepared, running
from tests.support.proxy_site import APP, AUTH, DEPLOY, Application, Deployment, enabled
from tests.support.servers import Start

STORES = ("sqlite",)  # no store has a part in this

SITE = f"https://{APP}"
PORTS = ("", ":443", ":80", ":8080")
"""The ports that the outer program may send in `Host`: none, its own, or that of the proxy."""


def replaced(text: str, pattern: str, new: str, count: int) -> str:
    """Return the text with every match replaced; there are `count`."""
    text, found = re.subn(pattern, new, text)
    assert found == count, pattern
    return text


def _nginx(site: Deployment) -> None:
    path = site.folder / "latchkey.conf"
    text = path.read_text().replace(f"{site.app};", f"{SITE};")
    listen = f"listen 127.0.0.1:{site.plain_port};\n"
    redirect = rf"server {{\n    {listen}    server_name \w+\.example\.org;\n    return 301.*\n}}\n"
    text = replaced(text, redirect, "", 2)
    tls = rf"( +)(listen 127.0.0.1:{site.port} ssl http2;\n)"
    path.write_text(replaced(text, tls, rf"\1\2\1{listen}", 2))


def _caddy(site: Deployment) -> None:
    path = site.folder / "Caddyfile"
    text = replaced(path.read_text(), r"http://\w+\.example\.org {\n\tredir .*\n}\n", "", 2)
    path.write_text(replaced(text, r"(?m)^((?:auth|app)\.example\.org) {", r"http://\1, \1 {", 2))


def _haproxy(site: Deployment) -> None:
    path = site.folder / "haproxy.cfg"
    text = path.read_text().replace(f"{site.app})", f"{SITE})")
    path.write_text(replaced(text, r" +http-request redirect scheme https .*\n", "", 1))


CHANGES: dict[str, Callable[[Deployment], None]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "haproxy": _haproxy,
}
"""What docs/forward-auth.md says to change; the tests keep TLS beside it."""


@pytest.fixture(scope="module", params=PROGRAMS)
def inner(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, start: Start
) -> Iterator[Deployment]:
    """Yield a proxy whose sites are on plain HTTP, with Latchkey."""
    with prepared(request.param, tmp_path_factory.mktemp("inner")) as site:
        site.server = start(
            **{**site.settings, "PUBLIC_URL": f"https://{AUTH}", "ALLOWED_REDIRECTS": SITE}
        )
        command = COMMANDS[site.program](site)
        CHANGES[site.program](site)
        with running(site, command):
            yield site


def ask(site: Deployment, target: str, host: str = APP, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", site.plain_port, timeout=20)
    try:
        connection.request("GET", target, headers={"Host": host, **headers})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("told", [{}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "ftp"}])
def test_the_link_leads_back_to_https(inner: Deployment, told: dict[str, str], port: str) -> None:
    answer = ask(inner, "/deep?a=1", f"{APP}{port}", **NAVIGATION, **told)
    assert answer.status == 302
    assert answer["Location"].endswith(
        "/auth/login?next=https%3A%2F%2Fapp.example.org%2Fdeep%3Fa%3D1"
    )


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("target", ["/", "/public/x", "/admin/x"])
def test_the_application_is_told_the_address_of_the_browser(
    inner: Deployment, target: str, port: str
) -> None:
    inner.application.received.clear()
    told = {"X-Forwarded-Proto": "http", "X-Forwarded-Port": "80"}
    session = cookie(sign_in(inner.latchkey_port))
    assert ask(inner, target, f"{APP}{port}", **session, **told).status == 200
    (seen,) = inner.application.received
    assert (seen["Host"], seen["X-Forwarded-Proto"]) == (APP, "https")
    assert seen.all("X-Forwarded-Host") in ([], [APP])
    assert seen.all("X-Forwarded-Port") in ([], ["443"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_latchkey_is_told_the_address_of_the_browser(program: str, tmp_path: Path) -> None:
    with Application() as other, prepared(program, tmp_path) as site:
        site.latchkey_port = other.port
        command = COMMANDS[program](site)
        CHANGES[program](site)
        with running(site, command):
            for port in PORTS:
                other.received.clear()
                ask(site, "/auth/login", f"{AUTH}{port}")
                (seen,) = other.received
                assert (seen["Host"], seen["X-Forwarded-Proto"]) == (AUTH, "https")


def test_nginx_tells_the_port_of_another_site(tmp_path: Path) -> None:
    """The port in `$latchkey_site` is the one of the browser, whatever port nginx listens on."""
    with Application() as other, prepared("nginx", tmp_path) as site:
        site.latchkey_port = other.port
        other.answers["/auth/verify"] = 200, {}
        command = COMMANDS["nginx"](site)
        _nginx(site)
        path = tmp_path / "latchkey.conf"
        path.write_text(path.read_text().replace(f"{SITE};", f"{SITE}:8443;"))
        with running(site, command):
            assert ask(site, "/").status == 200
        (seen,) = site.application.received
        assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Port"]) == ("https", "8443")


def test_traefik_has_the_fixed_address_too() -> None:
    parts = yaml.safe_load((DEPLOY / "traefik/dynamic.yml").read_text())["http"]["middlewares"]
    told = parts["app-host"]["headers"]["customRequestHeaders"]
    assert told == {"Host": APP, "X-Forwarded-Proto": "https", "X-Forwarded-Host": APP}
    assert parts["auth-host"]["headers"]["customRequestHeaders"] == {
        "Host": AUTH,
        "X-Forwarded-Proto": "https",
    }
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
