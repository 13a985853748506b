"""docker/kubernetes: each manifest is what its schema allows, and they fit each other and the product's settings.

kubernetes-spec.json is what the kinds of the manifests reach of the schemas of Kubernetes 1.32 (its OpenAPI document,
Apache License 2.0, as the package kubernetes-validate has it), without descriptions. cloudnative-pg-fields.json is our
own list of the fields that we use of the operator's kind Cluster.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr

from gameserver.config.redis_url import parse
from gameserver.stack.servers import sentinel
from gameserver.stack.servers.postgres import DURABLE
from gameserver.storage.operators import redis_condition
from gameserver.storage.postgres.connections import MOVING, per_node
from gameserver.transport.draining import NOTICED_SECONDS
from tests.docker import files, manifests
from tests.support.repository import ROOT

SCHEMAS = Path(__file__).with_name("kubernetes-spec.json")
OPERATORS = Path(__file__).with_name("cloudnative-pg-fields.json")
DATABASES = ("database-one", "database-two")
FIXED = {"fsync", "synchronous_commit", "full_page_writes", "wal_level"}
"""Parameters that are as we need them where nobody sets them: by Postgres, and `wal_level` by the operator."""


def validator(resource: dict[str, Any]) -> Any:
    if resource["kind"] == "Cluster":
        return jsonschema.Draft202012Validator(json.loads(OPERATORS.read_text("utf-8")))
    group, _, version = resource["apiVersion"].rpartition("/")
    name = f"io.k8s.api.{group.split('.')[0] or 'core'}.{version}.{resource['kind']}"
    return jsonschema.Draft202012Validator({**json.loads(SCHEMAS.read_text("utf-8")), "$ref": f"#/$defs/{name}"})


def node() -> dict[str, Any]:
    container: dict[str, Any] = manifests.pods()["node"]["spec"]["containers"][0]
    return container


@pytest.mark.parametrize("resource", manifests.documents(), ids=lambda it: f"{it['kind']}-{it['metadata']['name']}")
def test_a_manifest_follows_the_schema_of_its_kind(resource: dict[str, Any]) -> None:
    validator(resource).validate(resource)
    with pytest.raises(jsonschema.ValidationError):
        validator(resource).validate({**resource, "spec": {**resource["spec"], "invented": 1}})


def test_every_file_is_taken_and_every_image_named() -> None:
    kustomization = manifests.kustomization()
    generated = [name for generator in kustomization["configMapGenerator"] for name in generator["files"]]
    found = {path.name for path in manifests.FOLDER.iterdir()}
    assert found == {"kustomization.yaml", *kustomization["resources"], *generated}
    tagged = {image["name"] for image in kustomization["images"]}
    assert {container["image"] for _, _, container in manifests.containers()} == tagged


@pytest.mark.parametrize(("pod", "container"), [(pod, it) for _, pod, it in manifests.containers()])
def test_a_container_runs_without_root_and_without_its_powers(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"]["limits"]["memory"]
    if container["image"] == "gameserver":
        (user,) = files.instructions("USER")
        assert user == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"


def test_no_secret_is_in_a_file_and_the_guide_makes_each() -> None:
    kinds = [resource["kind"] for resource in manifests.documents()]
    assert "Secret" not in kinds
    named = set(re.findall(r"secretKeyRef: \{ name: ([\w-]+), key: (\w+) \}", " ".join(
        (manifests.FOLDER / name).read_text("utf-8") for name in manifests.kustomization()["resources"])))  # fmt: skip
    guide = (ROOT / "docs/kubernetes.md").read_text("utf-8")
    ours = {(name, key) for name, key in named if key != "uri"}
    assert {name for name, key in named if key == "uri"} == {f"{name}-app" for name in DATABASES}
    for name, key in ours:
        assert re.search(rf"create secret generic {name} [^\n]*(\\\n[^\n]*)?--from-literal={key}=", guide), (name, key)
    assert ours == {("valkey", "password"), ("valkey", "node"), ("operators", "key")}


def test_the_nodes_settings_name_what_the_manifests_make() -> None:
    settings = manifests.settings(node())
    for name in ("one", "two"):
        url = urlsplit(settings.database_url(name).get_secret_value())
        assert (url.hostname, url.query) == (f"database-{name}-rw.game", "sslmode=require")
        assert manifests.one("Cluster", f"database-{name}")["spec"]["bootstrap"]["initdb"]["database"] == url.path[1:]
        assert settings.requires_standby(name)
    redis = parse(settings.redis_url())
    valkey = manifests.one("StatefulSet", "valkey")["spec"]
    addresses = [f"valkey-{number}.{valkey['serviceName']}" for number in range(valkey["replicas"])]
    assert redis.hosts == tuple((address, 26379) for address in addresses)
    assert redis.master == "gameserver"
    assert redis.username == settings.redis.sentinel_username == "gameserver"
    assert settings.admin_keys() == {"operator": SecretStr(files.SECRET)}
    for container in manifests.pods()["valkey"]["spec"]["containers"]:
        assert manifests.variables(container)["PEERS"].split() == addresses
    assert f"sentinel monitor {redis.master} " in manifests.VALKEY.read_text("utf-8")


def test_migrations_run_with_the_nodes_settings() -> None:
    migrate = manifests.pods()["migrate"]["spec"]["containers"][0]
    more = {"GAMESERVER_ADMIN__KEYS__OPERATOR", "GAMESERVER_NODE__NAME"}
    told = manifests.variables(node())
    assert manifests.variables(migrate) == {name: value for name, value in told.items() if name not in more}
    assert (migrate["args"][0], migrate["args"][1:]) == ("migrate", node()["args"][1:])
    assert migrate["volumeMounts"] == node()["volumeMounts"]
    assert manifests.pods()["migrate"]["spec"]["volumes"] == manifests.pods()["node"]["spec"]["volumes"]


def test_ports_and_probes_are_those_that_a_node_listens_on() -> None:
    settings = manifests.settings(node())
    ports = {port["name"]: port["containerPort"] for port in node()["ports"]}
    assert ports == {"players": settings.node.port, "operators": int(settings.operators_listen().rsplit(":", 1)[1])}
    probes = {name: node()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"operators"}
    assert [probes[name]["path"] for name in ("startup", "liveness", "readiness")] == ["/live", "/live", "/ready"]
    targets = {name: manifests.one("Service", name)["spec"]["ports"][0]["targetPort"] for name in ports}
    assert targets == {"players": "players", "operators": "operators"}
    mounted = {mount["mountPath"] for mount in node()["volumeMounts"]}
    passfile = settings.passfile
    assert passfile is not None
    assert {str(passfile.parent), str(Path(node()["args"][2]).parent)} <= mounted
    assert Path(node()["args"][2]).name in manifests.kustomization()["configMapGenerator"][0]["files"]


def test_a_node_is_given_the_time_that_its_drain_takes() -> None:
    settings, pod = manifests.settings(node()), manifests.pods()["node"]["spec"]
    waiting = node()["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Until the pod is out of every Service: its endpoints, and then each machine's rules.
    assert waiting >= 5
    needed = waiting + settings.node.notice_seconds + 2 * settings.node.drain_seconds + 10
    assert pod["terminationGracePeriodSeconds"] > needed


def test_a_node_that_an_operator_drains_is_out_of_its_service_before_its_sockets_are_told() -> None:
    probe = node()["readinessProbe"]
    # As for a pod that ends, a second for its endpoints and one for each machine's rules.
    assert probe["periodSeconds"] * probe["failureThreshold"] + 2 <= NOTICED_SECONDS


def test_one_pod_at_a_time_is_taken_away() -> None:
    for name, kind in (("node", "Deployment"), ("valkey", "StatefulSet")):
        budget, made = manifests.one("PodDisruptionBudget", name)["spec"], manifests.one(kind, name)["spec"]
        assert budget == {"maxUnavailable": 1, "selector": made["selector"]}
        assert made["selector"]["matchLabels"].items() <= made["template"]["metadata"]["labels"].items()
        assert made["replicas"] >= 3
    assert manifests.one("Deployment", "node")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_is_set_up_as_the_embedded_ones_are_and_waits_for_a_standby(name: str) -> None:
    spec = manifests.one("Cluster", name)["spec"]
    parameters = spec["postgresql"]["parameters"]
    assert not FIXED & set(parameters)
    own = {"max_connections", "shared_buffers", "max_slot_wal_keep_size", "wal_keep_size"}
    assert set(parameters) == {*DURABLE, *own} - FIXED
    assert {key: value for key, value in parameters.items() if key not in own} == {
        key: value for key, value in DURABLE.items() if key not in own | FIXED
    }
    assert parameters["wal_keep_size"] == parameters["max_wal_size"]
    assert spec["postgresql"]["synchronous"]["dataDurability"] == "required"
    assert spec["instances"] >= 3
    assert spec["affinity"]["podAntiAffinityType"] == "required"
    rights = " ".join(spec["bootstrap"]["initdb"]["postInitSQL"])
    assert all(right in rights for right in ("replication", "pg_monitor", "pg_create_subscription"))


def test_a_database_has_connections_for_all_nodes_also_while_they_are_replaced() -> None:
    deployment = manifests.one("Deployment", "node")["spec"]
    nodes = deployment["replicas"] + deployment["strategy"]["rollingUpdate"]["maxSurge"]
    needed = nodes * per_node({"accounts", "players", "items", "control"}, manifests.settings(node()).writes.in_flight)
    for name in DATABASES:
        parameters = manifests.one("Cluster", name)["spec"]["postgresql"]["parameters"]
        assert int(parameters["max_connections"]) > needed + 2 * MOVING + 20


def test_players_and_operators_come_in_at_doors_of_their_own_and_nothing_else_does() -> None:
    policies = {it["metadata"]["name"]: it["spec"] for it in manifests.documents() if it["kind"] == "NetworkPolicy"}
    assert policies["nothing-else"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    doors = {rule["ports"][0]["port"]: rule["from"] for rule in policies["node"]["ingress"]}
    assert doors == {
        door: [{"namespaceSelector": {"matchLabels": {"gameserver/door": door}}}] for door in ("players", "operators")
    }
    labels = {name: pod["metadata"]["labels"] for name, pod in manifests.pods().items()}
    for name in ("node", "valkey"):
        assert policies[name]["podSelector"]["matchLabels"].items() <= labels[name].items()
    client = policies["client"]["podSelector"]["matchLabels"].items()
    assert [client <= labels[name].items() for name in ("node", "migrate", "valkey")] == [True, True, False]
    reached = {port["port"] for rule in policies["client"]["egress"] for port in rule["ports"]}
    assert reached == {5432, 6379, 26379, 53}
    (chosen,) = policies["database"]["podSelector"]["matchExpressions"]
    assert (chosen["key"], chosen["values"]) == ("cnpg.io/cluster", list(DATABASES))


def test_valkey_keeps_what_a_failover_needs() -> None:
    script = manifests.VALKEY.read_text("utf-8")
    told = set(files.compose()["services"]["valkey"]["command"][-1].split("\n"))
    shared = {line.strip() for line in told if re.match(r"\s*(append|aof|save|maxmemory)", line)}
    assert len(shared) == 5
    assert {*shared, "min-replicas-to-write 1"} <= set(script.splitlines())
    assert "sentinel monitor gameserver $(leader) $PORT 2" in script


def test_a_master_that_was_cut_off_takes_no_changes_before_another_one_is_elected() -> None:
    script = manifests.VALKEY.read_text("utf-8")
    (lag,) = re.findall(r"^min-replicas-max-lag (\d+)$", script, re.MULTILINE)
    (down,) = re.findall(r"^sentinel down-after-milliseconds gameserver \$\{DOWN_AFTER:-(\d+)\}$", script, re.MULTILINE)
    # The server looks at its replicas once a second.
    assert int(lag) + 1 < int(down) / 1000
    assert sentinel.LAG_SECONDS < sentinel.DOWN_MS / 1000
    (symptom,) = redis_condition.symptoms({"aof_enabled": 1, "role": "master", "connected_slaves": 1})
    assert f"min-replicas-max-lag to {lag}," in symptom.remedy


def test_a_sentinel_outlasts_the_hand_over_of_its_server_and_both_end_in_time() -> None:
    pod = manifests.pods()["valkey"]["spec"]
    (waits,) = [each["lifecycle"]["preStop"] for each in pod["containers"] if each["name"] == "sentinel"]
    (leaving,) = re.findall(r"^LEAVING=(\d+)$", manifests.VALKEY.read_text("utf-8"), re.MULTILINE)
    last_try, to_end = 5, 10
    assert waits["sleep"]["seconds"] >= int(leaving) + last_try
    assert pod["terminationGracePeriodSeconds"] >= waits["sleep"]["seconds"] + to_end
