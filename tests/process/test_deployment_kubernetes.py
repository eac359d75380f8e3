"""The files of deploy/ for Kubernetes: it knows the objects, and they agree with each other."""

import ipaddress

import kubernetes_validate
import pytest

from service import __version__
from tests.process.test_deployment import DOCKERFILE, PORT, seconds
from tests.support.client import ask
from tests.support.deployment import kubernetes, kubernetes_objects
from tests.support.servers import Start

STORES = ("sqlite",)


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
