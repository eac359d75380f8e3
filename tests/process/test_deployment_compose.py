"""The files of deploy/ for compose agree with each other, and nginx runs with them."""

import ipaddress
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.test_deployment import PORT
from tests.support import proxies
from tests.support.client import bearer
from tests.support.deployment import DEPLOY, compose
from tests.support.environment import ROOT, free_port
from tests.support.proxy_site import AUTH, Deployment
from tests.support.servers import Start

STORES = ("sqlite",)


def test_compose_agrees_with_itself() -> None:
    document = compose()
    services = document["services"]
    (network,) = document["networks"]["inside"]["ipam"]["config"]
    own = {
        name: ipaddress.ip_address(service["networks"]["inside"]["ipv4_address"])
        for name, service in services.items()
        if isinstance(service["networks"], dict)
    }
    assert own.keys() == {"nginx", "latchkey-1", "latchkey-2"}
    for name, service in services.items():
        assert set(service["networks"]) <= document["networks"].keys(), name
    for name, address in own.items():
        assert address in ipaddress.ip_network(network["subnet"]), name
        assert address not in ipaddress.ip_network(network["ip_range"]), name
    script = services["nginx"]["entrypoint"][2]
    upstreams = set(re.findall(r"server ([\d.]+):(\d+) fail_timeout=2s;", script))
    assert upstreams == {(str(own[f"latchkey-{number}"]), str(PORT)) for number in (1, 2)}
    settings = services["latchkey-1"]["environment"]
    assert settings["TRUSTED_PROXIES"] == f"{own['nginx']}/32"
    for name, service in services.items():
        assert set(service.get("secrets", ())) <= document["secrets"].keys(), name
        assert set(service.get("depends_on", {})) <= services.keys(), name
        for path in re.findall(r"^(\.\S+?):", "\n".join(service.get("volumes", ())), re.MULTILINE):
            assert path == "./certs" or (DEPLOY / "compose" / path).exists(), path
    build = services["latchkey-1"]["build"]
    context = DEPLOY / "compose" / build["context"]
    assert context.resolve() == ROOT
    assert (context / build["dockerfile"]).exists()


def test_an_application_of_compose_reaches_nginx_alone() -> None:
    document = compose()
    members: dict[str, set[str]] = {name: set() for name in document["networks"]}
    for name, service in document["services"].items():
        for network in service["networks"]:
            members[network].add(name)
    assert members == {
        "app": {"nginx"},
        "inside": {"nginx", "latchkey-1", "latchkey-2"},
        "database": {"latchkey-1", "latchkey-2", "migrate", "postgresql"},
    }
    assert document["networks"]["database"] == {"internal": True}
    published = [name for name, service in document["services"].items() if "ports" in service]
    assert published == ["nginx"]


def test_compose_begins_in_order() -> None:
    services = compose()["services"]
    for name in ("latchkey-1", "latchkey-2"):
        needs = {key: value["condition"] for key, value in services[name]["depends_on"].items()}
        assert needs["migrate"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgresql"]["condition"] == "service_healthy"
    assert services["migrate"]["command"] == ["migrate", "up"]
    assert services["migrate"]["restart"] == "no"
    assert services["postgresql"]["healthcheck"]["test"][1] == "pg_isready"


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Deployment]:
    """Yield nginx as compose.yaml configures it, not yet running."""
    with proxies.prepared("nginx", tmp_path) as deployment:
        yield deployment


def test_nginx_of_compose_goes_on_while_one_of_two_is_replaced(
    nginx: Deployment, start: Start
) -> None:
    command = proxies.COMMANDS["nginx"](nginx)
    one = start(**nginx.settings, WORKERS="1")
    other = start(beside=one, PORT=str(free_port()), PUBLIC_URL=nginx.auth)
    # The script of the file, less its end, on the shipped configuration.
    script, _, end = compose()["services"]["nginx"]["entrypoint"][2].rpartition(" exec ")
    assert end.startswith("nginx")
    written = nginx.folder / "latchkey.conf"
    shipped = nginx.folder / "shipped.conf"
    written.rename(shipped)
    shipped.write_text(shipped.read_text().replace(f":{nginx.latchkey_port};", f":{PORT};"))
    script = script.replace("/etc/nginx/latchkey.conf", str(shipped))
    script = script.replace("/etc/nginx/conf.d/latchkey.conf", str(written))
    for address, port in (("172.30.7.11:8080", one.port), ("172.30.7.12:8080", other.port)):
        assert address in script
        script = script.replace(address, f"127.0.0.1:{port}")
    subprocess.run(["/bin/sh", "-euc", script], check=True)
    with proxies.running(nginx, command):
        token = nginx.sign_in()
        for _ in range(20):
            assert nginx.ask("/auth/me", headers=bearer(token), host=AUTH).status == 200
        assert all(" path=/auth/me " in server.log(" path=/auth/me ") for server in (one, other))
        one.process.terminate()
        while one.process.poll() is None:
            assert nginx.ask("/auth/me", headers=bearer(token), host=AUTH).status == 200
        for _ in range(20):
            assert nginx.ask("/auth/me", headers=bearer(token), host=AUTH).status == 200
            assert nginx.ask("/x", headers=bearer(token)).status == 200
        assert one.process.returncode == 0
