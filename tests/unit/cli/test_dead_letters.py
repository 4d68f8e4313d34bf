"""What the command line of dead letters shows and asks; ``tests/integration/worker`` has it over a real RabbitMQ."""

import json
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from uuid import UUID

import pika
import pytest

from octavia.brokers.dead_letter_queues import Counts, Requeued
from octavia.brokers.dead_letters import DeadLetter, dead_letter
from octavia.cli import console
from octavia.errors import NotFound
from octavia.jobs.operations import audit
from octavia.jobs.protocol.messages import message_for
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.records import TaskRef
from octavia.jobs.tables.states import Queue, Stage
from octavia.settings import get_settings
from tests.support.command import Run, runner

JOB = UUID(int=7)


class Shelf:
    """Stands in for RabbitMQ: three letters on one queue of dead letters."""

    def __init__(self) -> None:
        ours = message_for(TaskRef(JOB, 1, 0, Stage.TRANSCRIBE), 2).encode()
        noted = {"x-octavia-reason": "\x1b[31mred", "x-octavia-time": "2026-01-02T03:04:05+00:00"}
        moved = {"x-death": [{"reason": "delivery_limit", "time": datetime(2026, 1, 2, tzinfo=UTC)}]}
        self.letters = [_letter(b"\x07ding" + b"-" * 5000, noted), _letter(ours, moved), _letter(b"plain", {})]

    def counts(self, queue: Queue | None = None) -> Counts:
        return {"octavia.transcribe.v1.XQ": len(self.letters)} if queue in (None, Queue.TRANSCRIBE) else {}

    def look(self, counts: Counts, limit: int) -> list[DeadLetter]:
        return self.letters[:limit] if counts else []

    def find(self, counts: Counts, letter_id: str) -> DeadLetter:
        for letter in self.letters:
            if letter.id == letter_id:
                return letter
        raise NotFound("There is none.", code="dead_letter_not_found")

    def present(self, counts: Counts, ids: Collection[str]) -> set[str]:
        return {letter.id for letter in self.letters if letter.id in ids}

    def requeue(self, counts: Counts, ids: Collection[str] | None, *, force: bool = False) -> Requeued:
        wanted = [letter for letter in self.letters if ids is None or letter.id in ids]
        back = [letter.id for letter in wanted if letter.message or force]
        return Requeued(back, [letter.id for letter in wanted if letter.id not in back])

    def purge(self, counts: Counts, ids: Collection[str] | None) -> list[str]:
        gone = [letter.id for letter in self.letters if ids is None or letter.id in ids]
        self.letters = [letter for letter in self.letters if letter.id not in gone]
        return gone


def _letter(body: bytes, headers: dict[str, object]) -> DeadLetter:
    return dead_letter(Queue.TRANSCRIBE, "octavia.transcribe.v1.XQ", pika.BasicProperties(headers=headers), body)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr("octavia.brokers.dead_letter_queues.DeadLetterQueues", lambda settings: shelf)
    monkeypatch.setenv("OCTAVIA_BROKER_URL", "amqp://127.0.0.1:1/")
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", sqlite_url)
    get_settings.cache_clear()
    return shelf


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "dead-letters")


@pytest.mark.parametrize("arguments", [["list"], ["show", "x"], ["requeue", "--all"], ["purge", "--all", "--yes"]])
def test_without_a_broker_there_are_none(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    # Given the embedded mode
    monkeypatch.delenv("OCTAVIA_BROKER_URL", raising=False)
    get_settings.cache_clear()
    # Then that is said, with what there is instead
    said = run(*arguments, code=console.USAGE)
    assert "(no_broker)" in said
    assert "message_rejected" in said
    assert "octavia jobs list --status failed" in said


def test_letters_are_listed_with_what_is_known_of_them(run: Run, shelf: Shelf) -> None:
    # When they are listed for a program
    ding, ours, plain = json.loads(run("list", "--json"))
    # Then with why and when they died, by Octavia's note or by RabbitMQ's, and with the job, which is gone here
    assert (ding["reason"], ding["died_at"]) == (r"\x1b[31mred", "2026-01-02T03:04:05+00:00")
    assert (ours["reason"], ours["died_at"]) == ("delivery_limit", "2026-01-02T00:00:00+00:00")
    assert (ours["job"], ours["job_status"], ours["actor"]) == (str(JOB), "gone", "transcribe")
    assert (plain["reason"], plain["died_at"], plain["job"], plain["size"]) == ("unknown", None, None, 5)
    # And for a person, who is told if these are not all
    said = run("list", "--limit", "2")
    assert "Showing 2 of 3." in said
    assert r"\x1b[31mred" in said
    assert run("list", "--queue", "default", "--json").strip() == "[]"


def test_the_jobs_need_not_be_known(run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that does not answer
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", "postgresql+psycopg://127.0.0.1:1/none")
    get_settings.cache_clear()
    # Then the letters are listed all the same
    said = run("list")
    assert "database" in said
    assert shelf.letters[2].id in said


def test_what_a_letter_says_moves_nothing_and_ends(run: Run, shelf: Shelf) -> None:
    said = run("show", shelf.letters[0].id)
    assert r"\x07ding---" in said
    assert "body, the first 4000 bytes" in said
    assert len(said) < 5000
    assert said.replace("\n", "").isprintable()
    shown = json.loads(run("show", shelf.letters[0].id, "--json"))
    assert shown["body_is_whole"] is False
    assert shown["headers"]["x-octavia-reason"] == r"\x1b[31mred"


def test_a_header_may_hold_anything(run: Run, shelf: Shelf) -> None:
    headers = {"list": [1, b"\xff\x00", {"deep": None}], "when": datetime(2026, 1, 2, tzinfo=UTC), "x-death": "odd"}
    shelf.letters.append(_letter(b"x", headers))
    shown = json.loads(run("show", shelf.letters[-1].id, "--json"))
    assert shown["headers"]["list"] == [1, r"\xff\x00", {"deep": None}]
    assert shown["headers"]["when"] == "2026-01-02T00:00:00+00:00"
    assert shown["reason"] == "unknown"


@pytest.mark.parametrize("arguments", [["requeue"], ["requeue", "abc", "--all"], ["purge", "--yes"]])
def test_it_must_be_said_which(run: Run, shelf: Shelf, arguments: list[str]) -> None:
    assert "(usage)" in run(*arguments, code=console.USAGE)
    assert len(shelf.letters) == 3


def test_garbage_is_requeued_only_by_force(run: Run, shelf: Shelf) -> None:
    assert "2 dead letters not requeued" in run("requeue", "--all", code=console.FAILED)
    assert json.loads(run("requeue", "--all", "--force", "--json"))["left"] == []
    assert run("requeue", shelf.letters[1].id) == "1 dead letter requeued.\n"


def test_deleting_asks_first(run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given nobody who could answer
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    # Then nothing is deleted without --yes
    assert "--yes" in run("purge", "--all", code=console.USAGE)
    # And somebody may say no
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", _say_no)
    run("purge", "--all", code=console.INTERRUPTED)
    assert len(shelf.letters) == 3
    # And with it, it is done, and written down
    assert run("purge", "--all", "--yes") == "3 dead letters deleted.\n"
    with closing(Database(get_settings().database)) as database:
        (done,) = audit.list_actions(database).actions
    assert (done.action, done.target, done.count) == ("purge_dead_letters", "all queues", 3)
    assert done.by.endswith("(command line)")


def test_what_is_not_there_is_told_and_the_others_are_done(run: Run, shelf: Shelf) -> None:
    gone, kept = shelf.letters[0].id, shelf.letters[1].id
    assert "dead_letter_not_found" in run("purge", gone, "nothing", "--yes", code=console.USAGE)
    assert kept in [letter.id for letter in shelf.letters]
    assert gone not in [letter.id for letter in shelf.letters]


def _say_no(question: str, **_: object) -> bool:
    import typer

    assert question == "Delete 3 dead letters?"
    raise typer.Abort
