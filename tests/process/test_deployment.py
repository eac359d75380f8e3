"""The files of deploy/ for images, compose, systemd and Kubernetes: what of them can run, runs."""

import configparser
import ipaddress
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service import __version__
from service.server import run as server
from service.server import supervisor
from tests.support import proxies
from tests.support.client import ask, bearer, sign_in
from tests.support.deployment import (
    DEPLOY,
    STOP_SECONDS,
    Installed,
    compose,
    has,
    kubernetes,
    kubernetes_objects,
    load,
    strangers,
    unit,
)
from tests.support.environment import ROOT, free_port
from tests.support.servers import Start

DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text()
PORT = 8080
STORES = ("sqlite",)
NEEDS_SYSTEMD = pytest.mark.skipif(not has("systemd-analyze"), reason="systemd is not installed")
NEEDS_SETPRIV = pytest.mark.skipif(not has("setpriv"), reason="setpriv is not installed")


def seconds(text: str) -> int:
    """Read `20s` or `20`."""
    return int(text.removesuffix("s"))


# What is said in several places.


def test_every_way_waits_for_a_server_to_stop() -> None:
    assert supervisor._LAST_SECONDS == STOP_SECONDS > server.SHUTDOWN_SECONDS
    assert seconds(unit()["TimeoutStopSec"][0]) > STOP_SECONDS
    for name in ("latchkey-1", "latchkey-2"):
        assert seconds(compose()["services"][name]["stop_grace_period"]) > STOP_SECONDS
    pod = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS + pause


def test_there_is_no_setting_that_there_is_not(tmp_path: Path) -> None:
    given = {
        "compose": compose()["services"]["latchkey-1"]["environment"],
        "kubernetes": kubernetes()["ConfigMap"]["data"],
    }
    for name, settings in given.items():
        assert not strangers(settings), name
        folder = tmp_path / name
        folder.mkdir()
        loaded = load(settings, folder)
        assert loaded.environment == "production"
        assert loaded.port == PORT
    lines = (DEPLOY / "systemd/latchkey.env").read_text()
    assert not strangers(dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", lines, re.MULTILINE)))


# The image.


def stages() -> list[str]:
    """Return the stages of the Dockerfile."""
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_what_the_image_copies_is_there_and_gets_in() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", stages()[0], re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert set(copied) == allowed
    for name in copied:
        assert (ROOT / name).exists(), name
    # What the code finds beside itself, and what is installed.
    assert set(copied) == {"service", "migrations", "seeds", "deploy/docker/requirements.lock"}


def test_the_image_is_what_its_file_promises() -> None:
    _, last = stages()
    assert "RUN" not in re.findall(r"^[A-Z]+", last, re.MULTILINE)  # no compiler, no cache
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", last, re.MULTILINE)
    for name, words in (("ENTRYPOINT", ["python3", "-m", "service"]), ("CMD", ["serve"])):
        (line,) = re.findall(rf"^{name} (.*)$", last, re.MULTILINE)
        assert json.loads(line) == words
    (check,) = re.findall(r"^    CMD (.*)$", last, re.MULTILINE)
    assert json.loads(check) == ["python3", "-m", "service", "healthcheck"]
    assert f'image.version="{__version__}"' in last
    assert f"EXPOSE {PORT}" in last
    environ = dict(re.findall(r"([A-Z_]+)=(\S+)", last.partition("ENV ")[2].partition("\n\n")[0]))
    assert not strangers(environ) - {"PATH", "PYTHONDONTWRITEBYTECODE"}


LOCK = (DEPLOY / "docker/requirements.lock").read_text()


def locked() -> dict[str, Requirement]:
    """Return what the image installs, by name."""
    text = re.sub(r" \\\n +--hash=sha256:[0-9a-f]{64}", "", LOCK)
    lines = [Requirement(line) for line in text.splitlines() if not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in lines}


def versions(requirement: Requirement) -> set[str]:
    """Return the versions that a line of the lock allows: one."""
    return {each.version for each in requirement.specifier if each.operator == "=="}


def test_everything_in_the_image_has_one_version_and_hashes() -> None:
    assert len(locked()) == len(re.findall(r"^[A-Za-z0-9]", LOCK, re.MULTILINE))
    for name, requirement in locked().items():
        assert len(versions(requirement)) == len(requirement.specifier) == 1, name
        assert not requirement.url, name
    for block in re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]:
        head, *hashes = block.rstrip("\n").split(" \\\n")
        assert hashes, head
        for line in hashes:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line), head


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"^\s*-(?!-hash=)|://|\bindex|find-links", LOCK, re.MULTILINE)


def test_the_lock_is_what_setup_cfg_allows() -> None:
    """With the driver for PostgreSQL, and with everything that these libraries need in turn."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    named = setup["options"]["install_requires"] + setup["options.extras_require"]["postgresql"]
    pending = [Requirement(line) for line in named.splitlines() if line and line[0] != "#"]
    assert len(pending) > 15
    found = locked()
    seen: set[str] = set()
    while pending:
        wanted = pending.pop()
        name = canonicalize_name(wanted.name)
        assert name in found, name
        (version,) = versions(found[name])
        assert wanted.specifier.contains(version), (name, version, str(wanted.specifier))
        if str(wanted) not in seen:
            seen.add(str(wanted))
            pending += needed_by(name, version, wanted.extras)


def needed_by(name: str, version: str, extras: set[str]) -> Iterator[Requirement]:
    """Yield what a library needs here, if this machine has just this version of it."""
    try:
        about = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    if about.version != version:
        return
    for line in about.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(
            needed.marker.evaluate({"extra": extra}) for extra in (*extras, "")
        ):
            yield needed


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_marker_leaves_a_library_out(python: str, machine: str) -> None:
    where = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    left_out = {
        name
        for name, each in locked().items()
        if each.marker is not None and not each.marker.evaluate(where)
    }
    assert left_out <= {"tzdata", "colorama"}  # for Windows


def test_the_image_installs_from_the_lock_alone() -> None:
    first, last = stages()
    (install,) = re.findall(r" install (.*?) &&", first.replace("\\\n", " "), re.DOTALL)
    words = install.split()
    assert {"--require-hashes", "--no-deps", "--requirement", "requirements.lock"} <= set(words)
    assert words[words.index("--only-binary") + 1] == ":all:"
    assert "pip" not in last


# Compose.


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
def nginx(tmp_path: Path) -> Iterator[proxies.Deployment]:
    """Yield nginx as compose.yaml configures it, not yet running."""
    with proxies.prepared("nginx", tmp_path) as deployment:
        yield deployment


def test_nginx_of_compose_goes_on_while_one_of_two_is_replaced(
    nginx: proxies.Deployment, start: Start
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
            assert nginx.ask("/auth/me", headers=bearer(token), host=proxies.AUTH).status == 200
        assert all(" path=/auth/me " in server.log(" path=/auth/me ") for server in (one, other))
        one.process.terminate()
        while one.process.poll() is None:
            assert nginx.ask("/auth/me", headers=bearer(token), host=proxies.AUTH).status == 200
        for _ in range(20):
            assert nginx.ask("/auth/me", headers=bearer(token), host=proxies.AUTH).status == 200
            assert nginx.ask("/x", headers=bearer(token)).status == 200
        assert one.process.returncode == 0


# systemd.


@NEEDS_SYSTEMD
def test_the_unit_is_sound(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd/latchkey.service").read_text()
    path = tmp_path / "latchkey.service"
    path.write_text(text.replace("/opt/latchkey/.venv/bin/python", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@NEEDS_SYSTEMD
def test_the_unit_exposes_little() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15",
         str(DEPLOY / "systemd/latchkey.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@NEEDS_SETPRIV
def test_the_commands_of_the_unit_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    installed = Installed(tmp_path)
    done = installed.run(*installed.command("ExecStartPre"))
    assert done.returncode == 0, done.stderr
    assert (installed.state / "latchkey.db").stat().st_mode & 0o777 == 0o600
    with installed.serving() as process:
        until_alive(installed, process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t0" not in status
        reload = installed.command("ExecReload", MAINPID=process.pid)
        for _ in range(3):
            assert installed.run(*reload).returncode == 0
        assert ask(installed.port, "/readyz").json["status"] == "ok"
        created = installed.run(*installed.command("ExecStart")[:-1], "user", "create", "ada")
        assert created.returncode == 0, created.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0, installed.log()


def until_alive(installed: Installed, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, installed.log()
        try:
            assert ask(installed.port, "/healthz").status == 200
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(installed.log())


def test_the_unit_lets_the_first_process_tell_the_others() -> None:
    assert unit()["KillMode"] == ["mixed"]
    assert unit()["Restart"] == ["always"]  # SIGHUP is a success to systemd
    assert unit()["ExecStart"][0].endswith("-m service serve")
    assert unit()["ExecStartPre"][0].endswith("-m service migrate up")


def test_the_command_beside_the_unit_has_its_settings(tmp_path: Path) -> None:
    """The script names the folders of the unit, and hands its words on as they are."""
    script = (DEPLOY / "systemd/latchkey").read_text()
    assert f"cd {unit()['WorkingDirectory'][0]}\n" in script
    assert f"--reuid {unit()['User'][0]} --regid {unit()['Group'][0]} " in script
    (settings := tmp_path / "settings").mkdir()
    (settings / "jwt_secret_key").write_text("secret\n")
    said = tmp_path / "setpriv"
    said.write_text('#!/bin/sh\nprintf "%s\\n" "$JWT_SECRET_KEY" "$LOGNAME" "$@"\n')
    said.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", script.replace("/etc/latchkey", str(settings)), "latchkey", "a b", "*"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "SUDO_USER": "alice"},
        capture_output=True,
        text=True,
        check=True,
    )
    secret, person, *words = done.stdout.splitlines()
    assert (secret, person, words[-2:]) == ("secret", "alice", ["a b", "*"])


# Kubernetes.


@pytest.mark.parametrize("version", ["1.27", "1.37"])
def test_kubernetes_knows_the_objects(version: str) -> None:
    for each in kubernetes_objects():
        kubernetes_validate.validate(each, version, strict=True)


def test_kubernetes_agrees_with_itself() -> None:
    objects = kubernetes()
    spec = objects["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == labels
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["PodDisruptionBudget"]["spec"]["minAvailable"] < spec["replicas"]
    pod = spec["template"]["spec"]
    (migrate,), (serve,) = pod["initContainers"], pod["containers"]
    assert migrate["args"] == ["migrate", "up"]
    assert migrate["image"] == serve["image"] == f"latchkey:{__version__}"
    (port,) = serve["ports"]
    assert port["containerPort"] == PORT
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    settings = objects["ConfigMap"]["data"]
    (mount,) = serve["volumeMounts"]
    for name in ("DATABASE_URL_FILE", "JWT_SECRET_KEY_FILE"):
        assert settings[name].startswith(f"{mount['mountPath']}/"), name
    # Replicas that lost the database stay for as long as they would answer, and no longer.
    readiness = serve["readinessProbe"]
    patience = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert patience == seconds(settings["REVOCATION_MAX_STALENESS"])


def test_kubernetes_lets_nothing_through_but_what_is_named() -> None:
    closed, opened = (each for each in kubernetes_objects() if each["kind"] == "NetworkPolicy")
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    spec = opened["spec"]
    labels = kubernetes()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"] == labels
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    (port,) = kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"][0]["ports"]
    (ingress,) = spec["ingress"]
    assert [each["port"] for each in ingress["ports"]] == [port["name"]]
    assert {
        (rule["ports"][0]["port"], *peer) for rule in spec["egress"] for peer in rule["to"]
    } == {
        (53, "namespaceSelector", "podSelector"),
        (5432, "namespaceSelector"),
        (443, "ipBlock"),
    }
    for rule in (ingress, *spec["egress"]):
        peers = rule.get("from") or rule["to"]
        assert peers, "an empty list lets everybody through"
        assert all(peer and peer.get("namespaceSelector") != {} for peer in peers)
    (block,) = (
        peer["ipBlock"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer
    )
    outside = [ipaddress.ip_network(each) for each in block["except"]]
    for address in ("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"):
        assert any(ipaddress.ip_address(address) in each for each in outside), address


def test_kubernetes_runs_it_under_the_restricted_profile() -> None:
    pod = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"USER {pod['securityContext']['runAsUser']}:" in DOCKERFILE
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_kubernetes_asks_what_there_is(start: Start) -> None:
    serve = kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    running = start()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ask(running.port, serve[probe]["httpGet"]["path"]).status == 200


# Upgrades.


def test_a_server_goes_on_beside_a_newer_schema(start: Start) -> None:
    """What a replica of the version before sees while the next version's migration is made."""
    running = start()
    token = sign_in(running.port)
    with closing(sqlite3.connect(running.folder / "data" / "latchkey.db")) as database, database:
        database.execute("ALTER TABLE users ADD COLUMN shoe_size INTEGER")
        database.execute("CREATE TABLE shoes (user_id INTEGER REFERENCES users (id))")
        database.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('9999', '9999.shoes', '2030-01-01')"
        )
    replica = start(beside=running)
    for port in (running.port, replica.port):
        body = json.dumps({"username": f"ada-{port}"}).encode()
        headers = {**bearer(token), "Content-Type": "application/json"}
        assert ask(port, "/api/v1/users", "POST", headers=headers, body=body).status == 201
        assert ask(port, f"/api/v1/users?q=ada-{port}", headers=bearer(token)).json
        sign_in(port)
    up = running.cli("migrate", "up")
    assert (up.returncode, "up to date" in up.stdout) == (0, True)


# The documentation.


def test_the_figures_that_the_documentation_names_are_there(start: Start) -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    running = start()
    sign_in(running.port)
    ask(running.port, "/no/such/path")
    shown = ask(running.port, "/metrics").text
    named = set(re.findall(r"latchkey_[a-z_]+", text))
    assert len(named) > 6
    for name in named:
        assert re.search(rf"^(?:# TYPE )?{name}(?:_count|_bucket)?[ {{]", shown, re.MULTILINE), name


def test_every_yaml_of_deploy_is_read() -> None:
    for path in (*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")):
        assert list(yaml.safe_load_all(path.read_text())), path
