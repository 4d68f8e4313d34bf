"""Keys are made, listed and revoked from the command line; the secrets are shown once."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from octavia.cli import console
from octavia.jobs.access import keys
from octavia.jobs.tables.database import Database
from octavia.settings import get_settings
from tests.support.command import Run, runner


@pytest.fixture(autouse=True)
def service(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a service over an empty database."""
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", sqlite_url)
    get_settings.cache_clear()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys, "keys")


def authenticate(sqlite_url: str, token: str) -> keys.KeyRecord:
    database = Database(sqlite_url)
    with database.reading() as session:
        key = keys.authenticate(session, token)
    database.close()
    return key


def test_a_key_is_shown_once_and_works(run, sqlite_url: str) -> None:
    # When a key is made
    said = run("create", "the shop", "--owner", "shop")
    # Then it is shown, with the secret of its webhooks, and lets its owner in
    token = re.search(r"^key +(oct_\S+)$", said, re.MULTILINE)[1]
    key = authenticate(sqlite_url, token)
    assert (key.name, key.owner, key.scopes) == ("the shop", "shop", {"jobs:read", "jobs:write"})
    assert f"webhook secret  {key.webhook_secret}" in said
    # And after that only its prefix is
    listed = run("list")
    assert key.prefix in listed
    assert token not in listed + run("list", "--json")
    assert key.webhook_secret not in listed + run("list", "--json")


def test_a_key_may_come_before_the_service(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Given a machine on which Octavia never ran
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", "")
    monkeypatch.setenv("OCTAVIA_DATA_DIR", str(tmp_path / "new"))
    get_settings.cache_clear()
    # When a key is made, Then it is there, and its scopes are listed in their order
    assert "scopes          jobs:read jobs:write" in run("create", "ann")
    assert "ann" in run("list")


def test_a_key_has_what_was_asked_for(run, sqlite_url: str) -> None:
    said = run(
        *("create", "shop", "--scope", "jobs:read", "--scope", "admin", "--expires", "90d", "--json"),
        *("--webhook-url", "https://shop.example/hook", "--requests-per-minute", "5", "--jobs-in-flight", "0"),
    )
    made = json.loads(said)
    key = authenticate(sqlite_url, made["key"])
    assert key.scopes == {"jobs:read", "admin"}
    assert abs(key.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    assert (key.webhook_url, key.requests_per_minute, key.jobs_in_flight) == ("https://shop.example/hook", 5, 0)
    assert made["webhook_secret"] == key.webhook_secret


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("2999-01-31", datetime(2999, 1, 31, tzinfo=UTC)),
        ("2999-01-31T12:00:00", datetime(2999, 1, 31, 12, tzinfo=UTC)),
        ("2999-01-31T12:00:00+02:00", datetime(2999, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_key_may_end_at_a_time(run, sqlite_url: str, given: str, end: datetime) -> None:
    made = json.loads(run("create", "shop", "--expires", given, "--json"))
    assert authenticate(sqlite_url, made["key"]).expires_at == end


@pytest.mark.parametrize("given", ["0d", "2000-01-01"])
def test_a_key_that_has_ended_is_not_made(run, given: str) -> None:
    assert "(invalid_field)" in run("create", "shop", "--expires", given, code=console.USAGE)
    assert json.loads(run("list", "--json")) == {"keys": []}


def test_a_key_is_revoked_by_its_prefix_once_and_again(run) -> None:
    made = json.loads(run("create", "shop", "--json"))
    for _ in range(2):
        assert run("revoke", made["prefix"]) == f"{made['prefix']} (shop) is revoked.\n"
    assert re.search(rf"^{made['prefix']} .* revoked {datetime.now(UTC).year}-", run("list"), re.MULTILINE)


def test_what_is_no_key_is_not_revoked(run) -> None:
    assert "(key_not_found)" in run("revoke", "oct_aaaaaaaa", code=console.USAGE)
