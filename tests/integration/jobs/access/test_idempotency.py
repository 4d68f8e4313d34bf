"""Keys of requests that must have their effect once, over both databases."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col
from uuid_utils.compat import uuid7

from octavia.jobs.access import idempotency
from octavia.jobs.access.idempotency import ABANDONED, Busy, KeyClaim, Overtaken, Recorded, Slot
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import IdempotencyKey
from tests.integration.jobs.steps import at_once

SLOT = Slot("ann", "POST", "/api/v1/jobs", "k")
ASKED = "a" * 64


def claimed(db: Database, slot: Slot = SLOT) -> KeyClaim:
    found = idempotency.claim(db, slot)
    assert isinstance(found, KeyClaim)
    return found


def record(db: Database, claim: KeyClaim, job_id: UUID | None = None) -> Recorded:
    made = Recorded(ASKED, job_id or uuid7(), 202, {"location": "/there"}, b"{}")
    with db.transaction() as session:
        assert made.job_id is not None
        idempotency.record(session, claim, ASKED, job_id=made.job_id, status=202, headers=made.headers, body=made.body)
    return made


def age(db: Database, column: str, by: timedelta) -> None:
    """Let time pass for every key."""
    with db.transaction() as session:
        for row in session.scalars(sa.select(IdempotencyKey)):
            setattr(row, column, getattr(row, column) - by)


def test_of_many_who_claim_at_once_one_serves(database: Database) -> None:
    found = at_once(*[lambda: idempotency.claim(database, SLOT)] * 12)
    assert sum(isinstance(one, KeyClaim) for one in found) == 1
    assert sum(isinstance(one, Busy) for one in found) == 11


@pytest.mark.parametrize("other", [{"owner": "bob"}, {"method": "PUT"}, {"path": "/elsewhere"}, {"key": "K"}])
def test_a_key_belongs_to_its_owner_and_its_place(database: Database, other: dict[str, str]) -> None:
    claimed(database)
    fields: dict[str, Any] = {"owner": "ann", "method": "POST", "path": "/api/v1/jobs", "key": "k"}
    claimed(database, Slot(**{**fields, **other}))


def test_what_was_recorded_is_found_again(database: Database) -> None:
    claim = claimed(database)
    assert isinstance(idempotency.get(database, SLOT), Busy)
    made = record(database, claim)
    assert idempotency.claim(database, SLOT) == made
    assert idempotency.get(database, SLOT) == made


def test_nothing_is_recorded_with_what_is_undone(database: Database) -> None:
    claim = claimed(database)
    with suppress(ValueError), database.transaction() as session:
        idempotency.record(session, claim, ASKED, job_id=uuid7())
        raise ValueError("something else went wrong")
    assert isinstance(idempotency.get(database, SLOT), Busy)


def test_a_request_that_failed_frees_its_key(database: Database) -> None:
    idempotency.release(database, claimed(database))
    assert idempotency.get(database, SLOT) is None
    claimed(database)


def test_a_recorded_one_is_not_released(database: Database) -> None:
    claim = claimed(database)
    made = record(database, claim)
    idempotency.release(database, claim)
    assert idempotency.get(database, SLOT) == made


def test_a_claim_that_nobody_gets_on_with_is_taken_over(database: Database) -> None:
    # Given a claim whose owner has said nothing for almost as long as it may
    late = claimed(database)
    age(database, "seen_at", ABANDONED - timedelta(seconds=20))
    busy = idempotency.claim(database, SLOT)
    assert isinstance(busy, Busy)
    assert 0 < busy.free_in <= 20
    # When it does say something, then it keeps it
    idempotency.renew(database, late)
    age(database, "seen_at", ABANDONED - timedelta(seconds=20))
    assert isinstance(idempotency.claim(database, SLOT), Busy)
    # When it does not, then another takes it over
    age(database, "seen_at", timedelta(seconds=20))
    taker = claimed(database)
    # and the late one can neither hold it, nor free it, nor record anything
    idempotency.renew(database, late)
    idempotency.release(database, late)
    with pytest.raises(Overtaken), database.transaction() as session:
        idempotency.record(session, late, ASKED, job_id=uuid7())
    made = record(database, taker)
    with pytest.raises(Overtaken), database.transaction() as session:
        idempotency.record(session, late, ASKED, job_id=uuid7())
    assert idempotency.get(database, SLOT) == made


def test_one_that_is_free_again_is_taken_over_once(database: Database) -> None:
    claimed(database)
    age(database, "seen_at", ABANDONED)
    found = at_once(*[lambda: idempotency.claim(database, SLOT)] * 8)
    assert sum(isinstance(one, KeyClaim) for one in found) == 1


def test_an_answer_is_kept_for_a_day_and_then_pruned(database: Database) -> None:
    # Given an answer and a claim, and one claim of today
    record(database, claimed(database))
    claimed(database, Slot("ann", "POST", "/api/v1/jobs", "crashed"))
    age(database, "expires_at", timedelta(hours=24, seconds=1))
    claimed(database, Slot("ann", "POST", "/api/v1/jobs", "today"))
    # Then the old one does not count any more, and its key can be used anew
    assert idempotency.get(database, SLOT) is None
    claimed(database)
    # and those that nobody used anew are forgotten
    assert idempotency.prune(database) == 1
    with database.reading() as session:
        assert set(session.scalars(sa.select(col(IdempotencyKey.key)))) == {"k", "today"}


def test_the_key_of_a_job_that_came_to_nothing_can_be_used_again(database: Database) -> None:
    job_id = uuid7()
    record(database, claimed(database), job_id)
    idempotency.forget(database, job_id)
    claimed(database)


def test_a_day_begins_when_the_answer_is_there(database: Database) -> None:
    claim = claimed(database)
    age(database, "expires_at", timedelta(hours=1))
    record(database, claim)
    with database.reading() as session:
        left = session.scalars(sa.select(col(IdempotencyKey.expires_at))).one() - now(session)
    assert left > timedelta(hours=23, minutes=59)
