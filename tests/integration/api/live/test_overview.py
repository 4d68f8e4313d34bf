"""``GET /operator/events``: the state of the service as it changes, for those who may see it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
from httpx_sse import connect_sse

from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.protocol import cancel
from octavia.jobs.tables.records import JobRecord, NewJob
from octavia.jobs.tables.states import JobType
from tests.integration.api.live.conftest import on_sqlite
from tests.integration.api.server import Server
from tests.integration.jobs.steps import MEDIA, Steps

OPERATOR: Final = [Scope.OPERATE]


@contextmanager
def watching(server: Server, token: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The states that a client with this key is sent."""
    url = f"http://127.0.0.1:{server.port}/api/v1/operator/events"
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(timeout=30) as client, connect_sse(client, "GET", url, headers=headers) as source:
        yield (json.loads(event.data) for event in source.iter_sse() if event.event == "overview")


def new_job(steps: Steps, owner: str = "ann") -> JobRecord:
    return submit.create(steps.db, NewJob(JobType.TRANSCRIBE, "en", owner=owner, input=dict(MEDIA)))


@on_sqlite
def test_a_change_is_sent_to_all_who_watch(with_keys: Server, steps: Steps) -> None:
    # Given two operators who watch, and a job of somebody
    _, token = keys.create(steps.db, "operator", scopes=OPERATOR)
    job = new_job(steps)
    with watching(with_keys, token) as first, watching(with_keys, token) as second:
        # Then each is told of it at once
        assert [next(states)["jobs"]["queued"] for states in (first, second)] == [1, 1]
        # When it is canceled, Then both see that
        cancel.cancel(steps.db, job.id, "ann")
        for states in (first, second):
            assert next(state for state in states if state["jobs"]["canceled"])["jobs"]["queued"] == 0


@on_sqlite
def test_the_stream_ends_when_its_key_is_revoked(with_keys: Server, steps: Steps) -> None:
    # Given an operator who watches
    record, token = keys.create(steps.db, "operator", scopes=OPERATOR)
    with watching(with_keys, token) as states:
        next(states)
        # When the key is revoked, Then there is no more to see
        keys.revoke(steps.db, record.prefix)
        assert list(states) == []


@on_sqlite
def test_only_operators_watch(with_keys: Server, steps: Steps) -> None:
    _, token = keys.create(steps.db, "shop", scopes=[Scope.READ, Scope.WRITE])
    url = f"http://127.0.0.1:{with_keys.port}/api/v1/operator/events"
    answer = httpx.get(url, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


@on_sqlite
def test_without_keys_only_the_jobs_of_this_machine_are_counted(server: Server, steps: Steps) -> None:
    # Given jobs of two owners, of whom one is everybody without a key
    new_job(steps, "ann")
    new_job(steps, "local")
    with watching(server, "none") as states:
        assert next(states)["jobs"]["queued"] == 1
