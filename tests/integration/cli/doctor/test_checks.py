"""The living workers, as the doctor counts them."""

from octavia.cli.doctor import checks
from octavia.cli.doctor.findings import Verdict
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings


def test_queues_without_a_living_worker_are_named(database: Database, database_url: str) -> None:
    # Given a deployment with a worker for some queues
    settings = Settings(database_url=database_url, broker_url="amqp://127.0.0.1:1")
    workers.mark_seen(database, "a", "host", 1, [Queue.DEFAULT, Queue.TRANSCRIBE], None, 1)
    # When the doctor looks
    (finding,) = checks.workers(settings)
    # Then it counts, and names the command that is missing
    assert finding.verdict is Verdict.NOTE
    assert finding.detail == "default 1, transcribe 1, translate 0, synthesize 0, maintenance 0"
    assert finding.remedy == "octavia worker --queues translate,synthesize"
    # And when they are there, or are not needed, all is well
    (finding,) = checks.workers(settings.model_copy(update={"ready_queues": ("default",)}))
    assert finding.verdict is Verdict.GOOD


def test_a_database_that_is_away_is_told_of_by_its_own_check() -> None:
    settings = Settings(database_url="postgresql+psycopg://postgres@127.0.0.1:1/nothing", broker_url="amqp://x")
    assert checks.workers(settings) == []
