"""What docs/forward-auth.md shows works; Traefik's files say what its documentation knows."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from service.keys import jwk
from tests.support.client import cookie
from tests.support.environment import ROOT, clean_environ, free_port
from tests.support.proxies import deployed, haproxy_jwt, prepared, running
from tests.support.proxy_site import AUTH, DEPLOY, IDENTITY, Deployment
from tests.support.servers import Start
from tests.support.verifiers import Node

STORES = ("sqlite",)  # no store has a part in this

PAGE = (ROOT / "docs" / "forward-auth.md").read_text()


def code(language: str, beginning: str) -> str:
    """Return the block of the page that begins so."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (text for _, text in blocks if text.lstrip().startswith(beginning))
    return textwrap.dedent(found)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Iterator[Deployment]:
    """Yield nginx, Latchkey and an application."""
    with deployed("nginx", tmp_path_factory.mktemp("nginx"), start) as deployment:
        yield deployment


@pytest.fixture
def assertion(site: Deployment) -> str:
    """Return what the application gets."""
    site.application.received.clear()
    site.ask(headers=cookie(site.sign_in()))
    return site.application.received[0]["X-Latchkey-Assertion"]


def here(text: str, site: Deployment) -> str:
    """Return code of the page for a deployment: keys from Latchkey, names with their port."""
    return (
        text.replace(f"https://{AUTH}/.well-known", f"{site.server.url}/.well-known")
        .replace(f"https://{AUTH}", site.auth)
        .replace("app.example.org", site.app.removeprefix("https://"))
    )


def test_the_settings_are_those_of_the_tests(site: Deployment) -> None:
    shown = dict(line.split("=") for line in code("sh", "ENVIRONMENT").split())
    for name in ("PUBLIC_URL", "ALLOWED_REDIRECTS"):
        assert site.settings[name] == f"{shown[name]}:{site.port}"
    for name in ("COOKIE_DOMAIN", "TRUSTED_PROXIES"):
        assert site.settings[name] == shown[name]
    for file in DEPLOY.rglob("*"):
        if file.name in {"latchkey.conf", "Caddyfile", "haproxy.cfg", "traefik.yml"}:
            text = file.read_text().replace("\n#", "")
            said = dict(re.findall(r"([A-Z_]+)=(\S+?)[,.]?(?= |\n)", text))
            assert (
                said.items()
                >= {name: shown[name] for name in site.settings if name != "PORT"}.items()
            )


def test_the_headers_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| (`[A-Z][^|]*`) \|", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == set(IDENTITY)


def test_python_checks_an_assertion(site: Deployment, assertion: str) -> None:
    names: dict[str, Any] = {}
    exec(here(code("python", "import os\n\nimport jwt"), site), names)  # noqa: S102  # the page's own code
    user_of: Callable[[str], object] = names["user_of"]
    everything = "manage_users", "manage_documents", "manage_communities"
    assert user_of(assertion) == ("admin", list(everything))
    for other in (site.sign_in(), assertion[:-4] + "AAAA"):
        with pytest.raises(jwt.InvalidTokenError):
            user_of(other)


def test_javascript_checks_an_assertion(site: Deployment, assertion: str, node: Node) -> None:
    module = node.folder / "assertion.mjs"
    module.write_text(here(code("js", "import { createRemote"), site))
    asked = json.dumps([assertion, site.sign_in(), assertion[:-4] + "AAAA"])
    script = (
        "import { userOf } from './assertion.mjs';"
        f"const asked = await Promise.allSettled({asked}.map((each) => userOf(each)));"
        "console.log(JSON.stringify(asked.map((each) => each.value ?? each.reason.code)));"
    )
    (node.folder / "ask.mjs").write_text(script)
    done = subprocess.run(
        ["node", "ask.mjs"], cwd=node.folder, capture_output=True, text=True, timeout=60, check=True
    )
    good, *bad = json.loads(done.stdout)
    assert good == ["admin", ["manage_users", "manage_documents", "manage_communities"]]
    assert bad == ["ERR_JWKS_NO_MATCHING_KEY", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"]


def test_haproxy_takes_the_key_that_the_page_writes(site: Deployment, tmp_path: Path) -> None:
    with prepared("haproxy", tmp_path) as alone:
        alone.port, alone.server, alone.latchkey_port = free_port(), site.server, site.latchkey_port
        lines = here(code("sh", "curl"), site).replace("python3", sys.executable)
        subprocess.run(
            ["sh", "-euc", lines], cwd=tmp_path, env=clean_environ(), timeout=60, check=True
        )
        command = haproxy_jwt(alone)
        config = tmp_path / "haproxy.cfg"
        config.write_text(config.read_text().replace(alone.auth, site.auth))
        issued = site.server.cli("token", "issue", "manager")
        assert issued.returncode == 0, issued.stderr
        with running(alone, command):
            assert alone.ask(headers=cookie(issued.stdout.strip())).text == "manager"
            assert alone.ask("/admin", headers=cookie(issued.stdout.strip())).status == 403
            assert alone.ask(headers=cookie(site.sign_in("manager"))).status == 401
    told = alone.application.received[0]
    assert told["Remote-Groups"] == "manage_documents,manage_communities"


def test_each_key_that_haproxy_can_take_gets_a_file(tmp_path: Path) -> None:
    kinds = ("EdDSA", "ES256", "ES256")
    public = [jwk.without_private(jwk.generate(each)) for each in kinds]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": public}))
    lines = code("sh", "curl").replace(
        f"curl -s https://{AUTH}/.well-known/jwks.json", "cat jwks.json"
    )
    lines = lines.replace("python3", sys.executable)
    subprocess.run(["sh", "-euc", lines], cwd=tmp_path, env=clean_environ(), timeout=60, check=True)
    written = sorted(path for path in tmp_path.iterdir() if path.suffix == ".pem")
    assert [path.name for path in written] == ["latchkey-2.pem", "latchkey.pem"]
    keys = [serialization.load_pem_public_key(path.read_bytes()) for path in reversed(written)]
    assert keys == [jwt.PyJWK(each).key for each in public[1:]]


def test_traefiks_options_are_documented_ones() -> None:
    """Against the reference of Traefik 3.7: entry points, routers, middlewares, services."""
    static = yaml.safe_load((DEPLOY / "traefik/traefik.yml").read_text())
    assert static.keys() == {"entryPoints", "providers"}
    assert static["entryPoints"]["web"].keys() == {"address"}  # no redirect of every name
    assert static["entryPoints"]["websecure"].keys() == {"address", "http"}
    http = static["entryPoints"]["websecure"]["http"]
    assert http.keys() == {"tls", "aliasHeadersStrategy", "sanitizePath", "encodedCharacters"}
    assert http["aliasHeadersStrategy"] in {"keep", "delete", "reject"}
    assert http["encodedCharacters"].keys() == {
        "allowEncodedSlash", "allowEncodedBackSlash", "allowEncodedNullCharacter",
        "allowEncodedSemicolon", "allowEncodedPercent", "allowEncodedQuestionMark",
        "allowEncodedHash",
    }  # fmt: skip
    dynamic = yaml.safe_load((DEPLOY / "traefik/dynamic.yml").read_text())
    assert dynamic.keys() == {"http", "tls"}
    parts = dynamic["http"]
    assert parts.keys() == {"routers", "services", "middlewares", "serversTransports"}
    for router in parts["routers"].values():
        assert router.keys() <= {"rule", "priority", "entryPoints", "middlewares", "service", "tls"}
        assert set(router["middlewares"]) <= parts["middlewares"].keys()
        assert router["middlewares"][0] == "clean"
        assert router["service"] in {*parts["services"], "noop@internal"}
        assert set(router["entryPoints"]) <= static["entryPoints"].keys()
    for middleware in parts["middlewares"].values():
        (kind,) = middleware
        assert middleware[kind].keys() <= {
            "forwardAuth": {
                "address", "trustForwardHeader", "authResponseHeadersRegex",
                "authRequestHeaders", "maxResponseBodySize",
            },
            "headers": {"customRequestHeaders"},
            "redirectRegex": {"regex", "replacement", "permanent"},
        }[kind]  # fmt: skip
    assert parts["middlewares"]["clean"]["headers"]["customRequestHeaders"].keys() >= set(IDENTITY)
    asked = parts["middlewares"]["signed-in"]["forwardAuth"]
    taken = re.compile(asked["authResponseHeadersRegex"].replace("(?i)", ""), re.IGNORECASE)
    for name in IDENTITY:
        for sign in "-_.!#$%&'*+^`|~":
            assert taken.match(name.replace("-", sign))
    assert not taken.match("X-Request-Id")


def test_traefik_gives_each_site_its_own_name() -> None:
    parts = yaml.safe_load((DEPLOY / "traefik/dynamic.yml").read_text())["http"]
    for router in parts["routers"].values():
        if "!Method" in router["rule"]:
            continue  # refuses methods, whatever the site
        (name,) = re.findall(r"Host\(`([^`]+)`\)", router["rule"])
        used = [parts["middlewares"][each] for each in router["middlewares"]]
        if router["entryPoints"] == ["web"]:
            redirect = used[-1]["redirectRegex"]
            for address in (f"http://{name}/x?y", f"http://{name.upper()}:80/x?y", "http:///x?y"):
                led = re.sub(redirect["regex"], redirect["replacement"], address)
                assert led == f"https://{name}/x?y"
        else:
            set_to = [
                each["headers"]["customRequestHeaders"].get("Host")
                for each in used
                if "headers" in each
            ]
            assert set_to == [None, name]
            assert [*router["middlewares"]][1].endswith("-host")  # before the question
