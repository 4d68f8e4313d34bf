"""Queues are listed, paused, drained and resumed from the command line; the doctor tells of it."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

from octavia.cli import console
from octavia.cli.doctor.checks import workers as check_workers
from octavia.cli.doctor.database_checks import pauses as check_pauses
from octavia.cli.doctor.findings import Verdict
from octavia.jobs.operations import audit
from octavia.jobs.status import rounds, workers
from octavia.jobs.tables.database import Database, clock
from octavia.jobs.tables.operation_rows import MaintenanceRound
from octavia.jobs.tables.pauses import list_pauses
from octavia.jobs.tables.states import Queue
from octavia.settings import get_settings
from tests.support.command import Run, runner


@pytest.fixture
def database(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", sqlite_url)
    get_settings.cache_clear()
    with closing(Database(sqlite_url)) as database:
        yield database


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: Database) -> Run:
    return runner(monkeypatch, capsys, "queues")


def test_a_queue_is_paused_shown_and_resumed(run: Run, database: Database) -> None:
    # When a queue is paused, with a reason that would write on the terminal
    said = run("pause", "translate", "--reason", "new\x1b[2J model")
    # Then that is said, listed, and in force
    assert said.startswith("queue translate paused since ")
    assert said.endswith(": new\\x1b[2J model\n")
    assert "\x1b" not in run("list")
    listed = json.loads(run("list", "--json"))
    states = {queue["name"]: queue["state"] for queue in listed["queues"]}
    assert states == dict.fromkeys(Queue, "open") | {"translate": "paused"}
    (pause,) = listed["pauses"]
    assert (pause["queue"], pause["host"], pause["mode"]) == ("translate", None, "pause")
    # When it is drained instead, and everything is paused besides
    assert "queue translate drained" in run("drain", "translate")
    run("pause", "--all")
    # Then the end of one tells of the other
    said = run("resume", "translate")
    assert said.startswith("queue translate: resumed.")
    assert "Still in force: everything paused" in said
    run("resume", "--all")
    assert list_pauses(database) == ()
    # And all was written down, with who did it
    actions = audit.list_actions(database).actions
    assert [one.action for one in actions] == ["resume", "resume", "pause", "drain", "pause"]
    assert {one.by.endswith("(command line)") for one in actions} == {True}


def test_what_is_not_paused_cannot_be_resumed(run: Run) -> None:
    run("pause", "translate", "--host", "one")
    for arguments in (["translate"], ["--host", "one"], ["default", "--host", "one"], ["--all"]):
        assert "(pause_not_found)" in run("resume", *arguments, code=console.USAGE)


@pytest.mark.parametrize(
    "arguments",
    [[], ["translate", "--all"], ["--host", "one", "--all"], ["nowhere"], ["--host", "a b"], ["--host", ""]],
)
@pytest.mark.parametrize("command", ["pause", "drain", "resume"])
def test_an_order_that_makes_no_sense_is_refused(
    run: Run, database: Database, command: str, arguments: list[str]
) -> None:
    assert "error: " in run(command, *arguments, code=console.USAGE)
    assert list_pauses(database) == ()


def test_a_host_that_nobody_knows_is_accepted_and_said(run: Run, database: Database) -> None:
    # Given a worker on a host
    workers.mark_seen(database, "one:1:x", "one", 1, [Queue.DEFAULT], None, 1)
    # When another host is drained, Then the order holds, and the hosts that are known are named
    assert "Known hosts: one." in run("drain", "--host", "onne")
    assert "Known hosts" not in run("drain", "--host", "one")
    assert len(list_pauses(database)) == 2


def test_the_doctor_tells_of_pauses_and_of_a_late_scheduler(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a pause, with a host that a shell would take apart
    run("drain", "translate", "--host", "one;two")
    # Then the doctor names it, and the command that ends it
    (finding,) = check_pauses(get_settings())
    assert finding.verdict is Verdict.NOTE
    assert finding.detail.startswith("queue translate on host one;two drained since ")
    assert finding.remedy == "octavia queues resume translate --host 'one;two'"
    # Given that nothing was scheduled for an hour, Then it says so as well
    with database.transaction() as session:
        session.add(MaintenanceRound(actor="report", scheduled_at=clock(database) - timedelta(hours=1)))
    assert [each.subject for each in check_pauses(get_settings())] == ["pauses", "scheduler"]
    rounds.mark_scheduled(database, "report")
    assert [each.subject for each in check_pauses(get_settings())] == ["pauses"]
    # Given a deployment with a broker and no workers, Then it misses only those of queues that are not paused
    monkeypatch.setenv("OCTAVIA_BROKER_URL", "amqp://127.0.0.1:1/")
    get_settings.cache_clear()
    run("drain", "default")
    (finding,) = check_workers(get_settings())
    assert finding.remedy == "octavia worker --queues transcribe,translate,synthesize"


def test_the_doctor_says_nothing_of_pauses_where_nothing_is_yet(database: Database) -> None:
    with database.transaction() as session:
        session.execute(sa.text("DROP TABLE pauses"))
    assert check_pauses(get_settings()) == []
