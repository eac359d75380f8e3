"""The files of deploy/ together: what they say of Latchkey is true."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import yaml

from service.server import run as server
from service.server import supervisor
from tests.support.client import ask, bearer, sign_in
from tests.support.deployment import (
    DEPLOY,
    STOP_SECONDS,
    compose,
    kubernetes,
    load,
    strangers,
    unit,
)
from tests.support.environment import ROOT
from tests.support.servers import Start

DOCKERFILE = (DEPLOY / "docker/Dockerfile").read_text()
PORT = 8080
STORES = ("sqlite",)


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
