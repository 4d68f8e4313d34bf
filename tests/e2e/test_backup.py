"""Backup and restore while jobs run, by the very commands of docs/operations.md."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pika
import psutil
import pytest

from octavia.jobs.lifecycle import retention
from octavia.jobs.tables.database import Database
from octavia.storage import Storage
from tests.e2e.service import Service, clip, service
from tests.support import waiting
from tests.support.postgres import PrivatePostgres

until = partial(waiting.until, every=0.2)

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
ENGLISH = {"type": "transcribe", "source_language": "en"}
SOON = {"OCTAVIA_SWEEP_SECONDS": "1", "OCTAVIA_REPAIR_SECONDS": "3", "OCTAVIA_RETRY_DELAYS": "1,1,1"}


def run(title: str, **variables: str) -> None:
    """Run the commands of the page's block that begins with a comment."""
    blocks = [block for block in PAGE.read_text().split("```sh\n")[1:] if block.startswith(f"# {title}")]
    assert len(blocks) == 1, title
    commands = blocks[0].partition("```")[0]
    subprocess.run(["sh", "-eu", "-c", commands], env=os.environ | variables, check=True, timeout=120)


def digests(running: Service, job: str) -> dict[str, str]:
    """Every result of a job, and what is in it."""
    artifacts = running.client.get(f"/api/v1/jobs/{job}/artifacts").raise_for_status().json()["artifacts"]
    assert artifacts
    found = {each["name"]: running.client.get(each["url"]).raise_for_status().content for each in artifacts}
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def until_half_done(running: Service, job: str) -> None:
    """Wait until one chunk of several is done, so that others are not."""
    running.until_started(job, "transcribe")
    running.until(job, lambda status: 0.2 < status["progress"] < 1, 120)


def crash(running: Service) -> None:
    """Kill every process, as when the machine is lost."""
    for name in list(running.processes):
        below = psutil.Process(running.processes[name].pid).children(recursive=True)
        running.kill(name)
        psutil.wait_procs(below, 20)


def variables_of(tmp_path: Path, postgres: PrivatePostgres, url: str) -> dict[str, str]:
    """The variables of the page's commands, for the server of the tests."""
    programs = os.pathsep.join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
        "PGDATABASE": url.rpartition("/")[2],
        "BACKUP": str(tmp_path / "backup"),
        "STORAGE": str(tmp_path / "storage"),
    }


@pytest.fixture
def served(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> Iterator[Service]:
    with service(
        tmp_path,
        OCTAVIA_DATABASE_URL=postgres_url,
        OCTAVIA_BROKER_URL=rabbitmq_url,
        OCTAVIA_QUEUE_PREFIX=f"backup-{tmp_path.name}",
        OCTAVIA_STORAGE_URL=str(tmp_path / "storage"),
        **SOON,
    ) as running:
        yield running


def start(running: Service) -> None:
    running.start("worker", "worker", "--queues", "default,transcribe")
    running.start_api()


def test_a_deployment_is_restored_with_all_its_jobs(
    served: Service, tmp_path: Path, postgres: PrivatePostgres, postgres_url: str, rabbitmq_url: str
) -> None:
    # Given a job that is completed, and one that runs
    start(served)
    completed = served.submit(clip(tmp_path), **ENGLISH)["id"]
    assert served.until_ended(completed)["status"] == "completed"
    results = digests(served, completed)
    running = served.submit(clip(tmp_path, 60), **ENGLISH)["id"]
    until_half_done(served, running)
    # When a backup is made
    variables = variables_of(tmp_path, postgres, postgres_url)
    run("Back up PostgreSQL", **variables)
    # And another job comes while nobody works, and then all is lost, but the message of that job
    for worker in (*served.children("worker"), psutil.Process(served.processes["worker"].pid)):
        worker.kill()
    later = served.submit(clip(tmp_path), **ENGLISH)["id"]
    prefix = served.environment["OCTAVIA_QUEUE_PREFIX"]
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_url))) as connection:
        channel = connection.channel()
        until(lambda: channel.queue_declare(f"{prefix}.default.v1", passive=True).method.message_count > 0)
        channel.queue_delete(f"{prefix}.transcribe.v1")
    crash(served)
    postgres.execute(f"DROP DATABASE {variables['PGDATABASE']} WITH (FORCE)")
    shutil.rmtree(tmp_path / "storage")
    # And when it is restored, and started
    run("Restore PostgreSQL", **variables)
    start(served)
    # Then the completed job is there with every file
    assert digests(served, completed) == results
    # And the one that ran completes, with a result for each chunk
    ended = served.until_ended(running)
    assert ended["status"] == "completed", f"{ended}\n{served.logs()}"
    assert "transcript.txt" in digests(served, running)
    # And nothing is left of the later one, whose message harmed nobody
    assert served.client.get(f"/api/v1/jobs/{later}").status_code == 404
    assert "Traceback" not in served.logs()
    # And what a backup has too many, maintenance removes, and nothing else
    with closing(Database(postgres_url)) as database:
        storage = Storage(served.environment["OCTAVIA_STORAGE_URL"])
        storage.put(f"jobs/{later}/input/clip.flac", b"of a job that was made after the dump")
        # The store's clock may tick no more between that and the sweep.
        assert retention.sweep_orphans(database, storage, min_age=-1) > 0
        assert not [key for key, _ in storage.keys(f"jobs/{later}")]
    assert digests(served, completed) == results


def test_an_embedded_service_is_restored_with_all_its_jobs(tmp_path: Path) -> None:
    with service(tmp_path, **SOON) as served:
        # Given a job that is completed, and one that runs
        served.start_api()
        completed = served.submit(clip(tmp_path), **ENGLISH)["id"]
        assert served.until_ended(completed)["status"] == "completed"
        results = digests(served, completed)
        running = served.submit(clip(tmp_path, 60), **ENGLISH)["id"]
        until_half_done(served, running)
        # When a backup is made, all is lost, and it is restored
        data = tmp_path / "data"
        variables = {"BACKUP": str(tmp_path / "backup"), "DATA": str(data)}
        run("Back up SQLite", **variables)
        crash(served)
        shutil.rmtree(data)
        run("Restore SQLite", **variables)
        served.start_api()
        # Then the completed job is there with every file, and the one that ran completes
        assert digests(served, completed) == results
        assert served.until_ended(running)["status"] == "completed"
        assert "Traceback" not in served.logs()
