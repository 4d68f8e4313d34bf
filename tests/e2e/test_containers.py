"""The image is built by the Dockerfile, and compose.yaml runs it, in a Docker engine of the test's own.

No registry is asked: ``debian:bookworm-slim`` is made with debootstrap, and PostgreSQL and RabbitMQ are Debian's
(``tests/support/images``).
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavia.jobs.tables.states import Queue
from scripts import lock
from tests.e2e.service import ENDED, SAMPLE
from tests.support.docker_engine import ROOT, Engine
from tests.support.ports import free_ports

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

IMAGE = "octavia:test"
IMAGES = ROOT / "tests" / "support" / "images"
PROJECT = "octavia-test"
OURS = ["api", "scheduler", *(f"worker-{queue.value}" for queue in Queue)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        engine.make_base("debian:bookworm-slim", "bookworm")
        # With a recogniser and a voice in it, so that a job needs no network.
        engine.build(IMAGE, ROOT, EXTRAS="kokoro,otel,postgres,s3,demo", VERSION="test")
        engine.build("octavia-test-postgres", IMAGES / "postgres")
        engine.build("octavia-test-rabbitmq", IMAGES / "rabbitmq")
        yield engine


class Stack:
    """The services of compose.yaml."""

    def __init__(self, engine: Engine) -> None:
        api, console = free_ports(2)
        self.url = f"http://127.0.0.1:{api}"
        self._engine = engine
        self._variables = {
            "COMPOSE_PROJECT_NAME": PROJECT,
            "POSTGRES_PASSWORD": "made-up-1",
            "RABBITMQ_PASSWORD": "made-up-2",
            "OCTAVIA_IMAGE": IMAGE,
            "POSTGRES_IMAGE": "octavia-test-postgres",
            "RABBITMQ_IMAGE": "octavia-test-rabbitmq",
            "OCTAVIA_PUBLISH": f"127.0.0.1:{api}",
            "RABBITMQ_CONSOLE": f"127.0.0.1:{console}",
            "OCTAVIA_WORKER_SLOTS": "1",
            "OCTAVIA_AUTO_PULL": "false",
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        return self._engine.compose(*arguments, variables=self._variables, code=code)

    def up(self) -> None:
        self("up", "--detach", "--wait", "--no-build", "--pull", "never")

    def inside(self, service: str, command: str, code: int = 0) -> str:
        """Run a shell's command in a service's container, as its user."""
        return self("exec", "--no-TTY", service, "sh", "-c", command, code=code)

    def states(self) -> dict[str, Any]:
        """Each container of a service, as ``docker compose ps`` tells."""
        lines = self("ps", "--all", "--format", "json").splitlines()
        return {found["Service"]: found for found in map(json.loads, lines)}


@pytest.fixture(scope="module")
def stack(engine: Engine) -> Iterator[Stack]:
    stack = Stack(engine)
    stack("down", "--volumes", "--remove-orphans")
    stack.up()
    yield stack
    stack("down", "--volumes")


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client with the first key, made as docs/containers.md says."""
    said = stack("run", "--rm", "--no-TTY", "api", "octavia", "keys", "create", "me", "--json")
    headers = {"Authorization": f"Bearer {json.loads(said)['key']}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=60) as client:
        yield client


def run_job(client: httpx.Client, **fields: str) -> str:
    """Run a job of the sample, or of a text, to its end; returns the path of the job."""
    if "text" in fields:
        answer = client.post("/api/v1/jobs", json=fields)
    else:
        answer = client.post("/api/v1/jobs", data=fields, files={"file": (SAMPLE.name, SAMPLE.read_bytes())})
    job = answer.raise_for_status().json()
    path = f"/api/v1/jobs/{job['id']}"
    deadline = time.monotonic() + 900
    while (status := client.get(path).raise_for_status().json())["status"] not in ENDED:
        assert time.monotonic() < deadline, status
        time.sleep(1)
    assert status["status"] == "completed", status
    return path


def test_the_image_holds_what_it_needs_and_no_more(engine: Engine) -> None:
    # Given the image
    (found,) = json.loads(engine.docker("image", "inspect", IMAGE))
    config = found["Config"]

    # Then it says who runs it, and what it is
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.version"] == "test"
    assert set(config["Volumes"]) == {"/var/lib/octavia", "/var/cache/octavia/models"}
    # With 140 MB of models that the plain image has not; the margin is for new versions of packages
    assert found["Size"] < 1.2e9

    # And neither tools to build with, nor caches, nor lists of packages, nor programs that give rights are in it
    look = (
        "for name in gcc cc c++ make ld curl wget git; do command -v $name; done; "
        "ls -A /root/.cache /var/lib/apt/lists /var/cache/apt /var/log 2>/dev/null | grep -v ':$' | grep .; "
        "find / -xdev -perm /6000 -type f; find / -xdev -user 10001 -not -path '/var/*'; true"
    )
    assert engine.docker("run", "--rm", "--user", "0", "--entrypoint", "sh", IMAGE, "-c", look) == ""


def test_the_packages_in_the_image_are_those_of_the_lock(engine: Engine) -> None:
    frozen = engine.docker("run", "--rm", IMAGE, "pip", "list", "--format", "freeze")
    installed = dict(line.split("==") for line in frozen.splitlines())
    del installed["octavia"], installed["pip"]
    locked = lock.read()
    assert {
        name: version for name, version in installed.items() if locked.get(name.lower().replace("_", "-")) != version
    } == {}


def test_a_plain_container_needs_nothing_but_its_folders(engine: Engine) -> None:
    # When the doctor looks around in a container without rights
    confined = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    said = json.loads(engine.docker("run", "--rm", *confined, IMAGE, "octavia", "doctor", "--json"))

    # Then nothing is broken, and strangers' files are read behind two of the layers, by Docker's own profile
    assert [found for found in said if found["verdict"] == "bad"] == []
    sandbox = [
        (found["verdict"], found["detail"].split(":")[0]) for found in said if found["subject"] == "media sandbox"
    ]
    assert ("ok", "system calls") in sandbox
    assert ("ok", "files") in sandbox
    assert ("note", "network") in sandbox

    # And its health check says that no API runs there
    engine.docker("run", "--rm", *confined, IMAGE, "octavia", "health", code=1)


def test_jobs_go_from_upload_to_results_with_a_key_only(stack: Stack, client: httpx.Client) -> None:
    # Given a service that is up, when somebody comes without a key, then they get nothing
    assert httpx.get(f"{stack.url}/api/v1/jobs").status_code == 401

    # When jobs come that take every queue, then their results can be fetched
    path = run_job(client, type="translate", target_language="es")
    assert client.get(f"{path}/translation.srt").raise_for_status().text.count(" --> ") >= 4
    path = run_job(client, type="synthesize", source_language="en", text="Good morning.")
    assert client.get(f"{path}/audio.wav").raise_for_status().content.startswith(b"RIFF")


def test_containers_run_without_rights_and_write_into_volumes_only(engine: Engine, stack: Stack) -> None:
    for service in OURS:
        status = stack.inside(service, "grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/1/status").split()
        assert status == ["Uid:", *["10001"] * 4, "CapEff:", "0" * 16, "NoNewPrivs:", "1"], service
        stack.inside(service, "touch /opt/octavia/x", code=1)
        assert engine.docker("diff", f"{PROJECT}-{service}-1") == "", service
        assert stack.inside(service, "ls -A /tmp") == "", service


def test_dead_workers_are_replaced_and_leave_no_zombies(stack: Stack) -> None:
    # Given the worker process of a container, whose supervisor is process 1
    pids = "cat /proc/1/task/*/children"
    before = stack.inside("worker-transcribe", pids).split()

    # When it is killed
    stack.inside("worker-transcribe", f"kill -9 {' '.join(before)}")
    deadline = time.monotonic() + 120
    while not (after := stack.inside("worker-transcribe", pids).split()) or set(after) & set(before):
        assert time.monotonic() < deadline
        time.sleep(1)

    # Then another takes its place, and nothing of the dead one is left
    zombies = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; true"
    assert stack.inside("worker-transcribe", zombies) == ""


def test_the_health_checks_tell_who_is_missing(stack: Stack) -> None:
    # Given healthy services
    stack.inside("api", "octavia health --ready")
    stack.inside("worker-translate", "octavia health --worker")

    # When a queue loses its workers, then the API is not ready after a while, but lives
    stack("stop", "worker-translate")
    deadline = time.monotonic() + 180
    while "no_workers" not in stack.inside("api", "octavia health --ready 2>&1; true"):
        assert time.monotonic() < deadline
        time.sleep(2)
    stack.inside("api", "octavia health")
    stack.up()


def test_a_stop_ends_in_order_and_volumes_keep_what_there_was(stack: Stack, client: httpx.Client) -> None:
    # Given a completed job
    path = run_job(client, type="synthesize", source_language="en", text="This is kept.")

    # When everything is taken down and put up again
    stack("stop")
    codes = {name: found["ExitCode"] for name, found in stack.states().items() if name in OURS}
    stack("down")
    stack.up()

    # Then all of Octavia's processes had ended by themselves, and key, job and result are there
    assert codes == dict.fromkeys(OURS, 0)
    assert client.get(f"{path}/audio.wav").raise_for_status().content.startswith(b"RIFF")


def test_the_broker_has_the_configuration_of_the_project(stack: Stack) -> None:
    # Given the commands of the page on containers
    asked = stack.inside("rabbitmq", "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'")
    assert asked.strip() == "{ok,518400000}"
    page = (ROOT / "docs" / "containers.md").read_text()
    (policy,) = [line for line in page.splitlines() if line.startswith("rabbitmqctl set_policy")]

    # Then the bound on dead letters can be set with one
    stack.inside("rabbitmq", policy)
    listed = json.loads(stack.inside("rabbitmq", "rabbitmqctl list_policies --vhost octavia --formatter json"))
    (known,) = json.loads((ROOT / "rabbitmq" / "definitions.json").read_text())["policies"]
    assert listed[0]["pattern"] == known["pattern"]
    assert json.loads(listed[0]["definition"]) == known["definition"]


def test_models_come_by_a_volume(stack: Stack, tmp_path: Path) -> None:
    # When a model is pulled that the image brings, then it is there; a folder is refused that holds none
    assert "en-es" in stack("run", "--rm", "--no-TTY", "--no-deps", "api", "octavia", "models", "list", "--installed")
    tmp_path.chmod(0o755)
    stack(
        "run",
        "--rm",
        "--no-TTY",
        "--no-deps",
        "--volume",
        f"{tmp_path}:/from:ro",
        "api",
        "octavia",
        "models",
        "import",
        "/from",
        code=2,
    )
