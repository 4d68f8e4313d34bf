"""Requests of every kind, made from the API's own description and sent to the running service."""

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from tests.e2e.service import service

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

CONFIGURATION = Path(__file__).parent / "schemathesis.toml"
ENDLESS = "/api/v1/operator/events"
SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"


def test_the_service_answers_as_it_is_described(tmp_path: Path, postgres_url: str, rabbitmq_url: str) -> None:
    # Given the service over PostgreSQL and RabbitMQ, a key that may do all, and no workers
    database = Database(postgres_url)
    _, token = keys.create(database, "tester", owner="tester", scopes=tuple(Scope))
    database.close()
    settings = {
        "OCTAVIA_DATABASE_URL": postgres_url,
        "OCTAVIA_BROKER_URL": rabbitmq_url,
        "OCTAVIA_QUEUE_PREFIX": f"described-{tmp_path.name}",
        "OCTAVIA_AUTH": "keys",
        "OCTAVIA_REQUESTS_PER_MINUTE": "0",
        "OCTAVIA_JOBS_IN_FLIGHT": "0",
        "OCTAVIA_MAX_WAIT_SECONDS": "0.5",
    }
    with service(tmp_path, **settings) as running:
        running.start_api()
        # When requests are made from its description, right ones and wrong ones, and every check is applied
        done = subprocess.run(
            [
                *(str(SCHEMATHESIS), "--config-file", str(CONFIGURATION), "run"),
                f"http://127.0.0.1:{running.port}/openapi.json",
                *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--continue-on-failure"),
                *("--seed", "1", "--max-examples", "5", "--request-timeout", "30", "--suppress-health-check", "all"),
                *("--warnings", "off", "--exclude-path", ENDLESS),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        # Then no answer is a failure of the service, and none is other than described
        assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}\n{running.logs()}"
        described = running.client.get("/openapi.json").json()
        # The description itself, which it has fetched, it does not try.
        operations = sum(
            len(path) for name, path in described["paths"].items() if name not in ("/openapi.json", ENDLESS)
        )
        assert re.search(rf"Tested: {operations}\b", done.stdout), done.stdout[-2000:]
