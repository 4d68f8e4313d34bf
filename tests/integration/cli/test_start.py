"""The processes of a service while what they need is away at their start, or wrong."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from chaos.proxy import Proxy
from rabbitmq.node import Node
from tests.e2e.service import Service, service
from tests.support import waiting
from tests.support.postgres import PrivatePostgres

# Not more often: asking takes the processor that it waits for.
until = partial(waiting.until, every=0.2)

PASSWORD = "l1ttle-known"


def _log(running: Service, name: str) -> str:
    return (running.log_dir / f"{name}.log").read_text(errors="replace")


def _through(line: Proxy, postgres: PrivatePostgres, url: str) -> str:
    return url.replace(f":{postgres.port}/", f":{line.port}/")


def test_a_database_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, postgres: PrivatePostgres, postgres_url: str, rabbitmq_url: str
) -> None:
    # Given a database that is out of reach
    with (
        Proxy(postgres.port) as line,
        service(
            tmp_path,
            OCTAVIA_DATABASE_URL=_through(line, postgres, postgres_url),
            OCTAVIA_BROKER_URL=rabbitmq_url,
            OCTAVIA_QUEUE_PREFIX=f"test-{uuid4().hex[:12]}",
            OCTAVIA_READY_QUEUES='["default"]',
            OCTAVIA_SWEEP_SECONDS="0.5",
        ) as running,
    ):
        line.cut()
        # When workers, scheduler and API are started
        running.start("worker", "worker", "--queues", "default", "--slots", "1")
        running.start("scheduler", "scheduler")
        running.start("api", "serve", "--port", str(running.port))
        # Then they say what they wait for, and do not end
        until(lambda: "supervisor_waiting" in _log(running, "worker"))
        until(lambda: "scheduler_waiting" in _log(running, "scheduler"))
        until(lambda: "database_away" in _log(running, "api"))
        assert "database_unavailable" in _log(running, "worker")
        assert [name for name, process in running.processes.items() if process.poll() is not None] == []
        # And when it is back, they work, and the API is ready as soon as the worker lives
        line.mend()
        until(lambda: "scheduler_ready" in _log(running, "scheduler"))
        running.until_ready(120)
        assert running.client.get("/readyz").json()["workers"]["default"] == 1


def test_an_embedded_service_waits_for_its_database(
    tmp_path: Path, postgres: PrivatePostgres, postgres_url: str
) -> None:
    # Given a service without a broker, whose database is out of reach
    with (
        Proxy(postgres.port) as line,
        service(tmp_path, OCTAVIA_DATABASE_URL=_through(line, postgres, postgres_url)) as running,
    ):
        line.cut()
        # When it is started, then it waits
        running.start("api", "serve", "--port", str(running.port))
        until(lambda: "serve_waiting" in _log(running, "api"))
        # And when the database is there, it comes up
        line.mend()
        running.until_ready(120)


@pytest.mark.parametrize(
    ("command", "wrong"), [("worker", "database"), ("scheduler", "database"), ("serve", "broker"), ("serve", "alone")]
)
def test_what_no_time_will_mend_ends_the_start_at_once(
    tmp_path: Path, command: str, wrong: str, postgres: PrivatePostgres, postgres_url: str, rabbitmq: Node
) -> None:
    # Given a database or a broker that refuses what the settings say
    environment = {
        "OCTAVIA_DATA_DIR": str(tmp_path),
        "OCTAVIA_LOG_FORMAT": "console",
        "OCTAVIA_DATABASE_URL": postgres_url if wrong == "broker" else postgres.url("nowhere"),
        "OCTAVIA_BROKER_URL": rabbitmq.url.replace("guest:guest", f"guest:{PASSWORD}") if wrong == "broker" else "",
    }
    if wrong == "database":
        environment["OCTAVIA_BROKER_URL"] = rabbitmq.url
    # When a process is started
    ended = subprocess.run(
        [sys.executable, "-m", "octavia", command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    # Then it ends with the reason and a hint, and without a traceback or a password
    assert ended.returncode == 1, ended.stderr
    expected = "broker_unavailable" if wrong == "broker" else "database_unavailable"
    assert f"({expected})" in ended.stderr
    assert ("ACCESS_REFUSED" if wrong == "broker" else '"nowhere" does not exist') in ended.stderr
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr
