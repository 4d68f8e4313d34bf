"""The service as it is deployed: HTTP → database → RabbitMQ → workers → results, and processes that are killed."""

import io
import itertools
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import psutil
import pysubs2
import pytest

from tests.e2e.service import SAMPLE, Service, clip, service

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

ENGLISH = {"type": "dub", "source_language": "en", "target_language": "en", "revoice": "true"}
SPANISH = {"type": "dub", "target_language": "es"}

# What a crash leaves is found by the same code in either database; the other one has its turn in `make test-long`.
crashed = pytest.mark.parametrize(
    "deployment", [pytest.param("sqlite", marks=pytest.mark.long), "postgres"], indirect=True
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """An API over either database, and the private RabbitMQ with queues of its own, for all tests of this file."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        database_url = f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), folder / 'octavia.db')}"
    else:
        server = request.getfixturevalue("postgres")
        database_url = server.url(server.create(request.getfixturevalue("postgres_template")))
    with service(
        folder,
        OCTAVIA_DATABASE_URL=database_url,
        OCTAVIA_BROKER_URL=request.getfixturevalue("rabbitmq").url,
        OCTAVIA_QUEUE_PREFIX=f"e2e-{folder.name}",
        OCTAVIA_STORAGE_URL=f"file://{folder / 'storage'}",
    ) as running:
        running.start_api()
        yield running


@pytest.fixture
def workers(deployment: Service) -> None:
    """Workers of every queue."""
    if "worker" not in deployment.processes:
        deployment.start("worker", "worker")


@pytest.fixture
def no_workers(deployment: Service) -> None:
    """Nobody who works, until the test starts somebody."""
    if "worker" in deployment.processes:
        deployment.end("worker")


@pytest.mark.usefixtures("workers")
def test_a_dub_goes_from_upload_to_results(deployment: Service) -> None:
    # When a real recording is posted
    job = deployment.submit(SAMPLE, **SPANISH)
    assert job["status"] in {"queued", "processing"}
    status = deployment.until_ended(job["id"])

    # Then the job completes and every result can be downloaded and read
    assert status["status"] == "completed", status
    assert status["progress"] == 1
    base = f"/api/v1/jobs/{job['id']}"
    client = deployment.client
    for name in ("transcript", "translation"):
        vtt = client.get(f"{base}/{name}.vtt").raise_for_status()
        assert vtt.text.startswith("WEBVTT")
        cues = pysubs2.SSAFile.from_string(client.get(f"{base}/{name}.srt").raise_for_status().text, format_="srt")
        assert len(cues) >= 4
        assert all(one.end <= other.start for one, other in itertools.pairwise(cues))
    transcript = client.get(f"{base}/transcript.txt").raise_for_status().text.lower()
    assert "dashwood" in transcript
    assert client.get(f"{base}/translation.json").raise_for_status().json()
    with wave.open(io.BytesIO(client.get(f"{base}/audio.wav").raise_for_status().content)) as dub:
        assert dub.getnframes() / dub.getframerate() > 20


@crashed
@pytest.mark.usefixtures("workers")
def test_a_killed_worker_costs_no_job(deployment: Service, tmp_path: Path) -> None:
    # Given a job in the middle of its synthesis
    job = deployment.submit(clip(tmp_path), **SPANISH)
    deployment.until_started(job["id"], "synthesize")

    # When every worker child is killed at once
    for child in deployment.children("worker"):
        child.kill()

    # Then they are replaced and the job completes
    assert deployment.until_ended(job["id"])["status"] == "completed"


@pytest.mark.long  # test_cli_up kills each of a deployment's processes, too
@pytest.mark.parametrize("deployment", ["postgres"], indirect=True)
@pytest.mark.usefixtures("workers")
def test_a_killed_supervisor_takes_its_children_along_and_another_finishes(deployment: Service, tmp_path: Path) -> None:
    # Given a job in the middle of its synthesis
    job = deployment.submit(clip(tmp_path), **SPANISH)
    deployment.until_started(job["id"], "synthesize")
    children = deployment.children("worker")

    # When the supervisor itself is killed
    deployment.kill("worker")

    # Then no child outlives it
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []

    # And another supervisor completes the job once the leases have ended
    deployment.start("worker", "worker")
    assert deployment.until_ended(job["id"])["status"] == "completed"


@crashed
@pytest.mark.usefixtures("no_workers")
def test_an_accepted_job_survives_the_api(deployment: Service, tmp_path: Path) -> None:
    # Given an API without workers that has just answered 202
    job = deployment.submit(clip(tmp_path), **ENGLISH)

    # When it is killed at once and workers come up later
    deployment.kill("api")
    deployment.start("worker", "worker")

    # Then the job completes, and a new API says so
    deployment.start_api()
    assert deployment.until_ended(job["id"])["status"] == "completed"
