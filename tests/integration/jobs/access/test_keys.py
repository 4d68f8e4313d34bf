"""Keys: made, told apart, refused when they must be, and only ever kept as a hash."""

import base64
import re
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from octavia.errors import InputError, NotFound
from octavia.jobs.access import keys, limits
from octavia.jobs.access.keys import KeyRecord, Limits, Scope
from octavia.jobs.tables.database import Database, now
from octavia.jobs.tables.rows import ApiKey
from tests.integration.jobs.steps import at_once


def authenticate(database: Database, token: str) -> KeyRecord:
    with database.reading() as session:
        return keys.authenticate(session, token)


def refusal(database: Database, token: str) -> str:
    with pytest.raises(InputError) as caught:
        authenticate(database, token)
    assert not token or token not in str(caught.value)
    return caught.value.code


def change(database: Database, **values: object) -> None:
    with database.transaction() as session:
        session.execute(sa.update(ApiKey).values(**values))


def test_a_key_lets_its_owner_in(database: Database) -> None:
    # When a key is made
    made, token = keys.create(
        database,
        "the web shop",
        owner="shop",
        scopes=[Scope.WRITE, Scope.READ],
        webhook_url="https://shop.example/hook",
        limits=Limits(requests_per_minute=60, jobs_in_flight=0),
    )
    # Then its token is known, and as whose
    assert re.fullmatch(r"oct_[a-z0-9]{8}[A-Za-z0-9_-]{43}", token)
    found = authenticate(database, token)
    assert found == made
    assert (found.owner, found.prefix, found.scopes) == ("shop", token[:12], {Scope.READ, Scope.WRITE})
    assert (found.requests_per_minute, found.jobs_in_flight) == (60, 0)
    assert found.webhook_url == "https://shop.example/hook"


def test_its_webhook_secret_is_one_of_standard_webhooks(database: Database) -> None:
    made, _ = keys.create(database, "a", scopes=[Scope.READ])
    assert made.webhook_secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(made.webhook_secret[6:], validate=True)) <= 64
    assert made.webhook_secret not in repr(made)


def test_neither_the_token_nor_its_secret_part_is_kept(database: Database) -> None:
    _, token = keys.create(database, "a", scopes=[Scope.READ])
    with database.reading() as session:
        row = session.execute(sa.select(ApiKey.__table__)).one()
    assert token not in str(row)
    assert token[12:] not in str(row)


def test_the_owner_is_the_name_if_none_is_given(database: Database) -> None:
    made, _ = keys.create(database, "shop", scopes=[Scope.READ])
    assert made.owner == "shop"


def test_anything_else_is_not_known(database: Database) -> None:
    _, token = keys.create(database, "a", scopes=[Scope.READ])
    last = "a" if token[-1] != "a" else "b"
    for wrong in (
        "",
        "oct_",
        token[:-1] + last,
        token[:12] + "x" * 43,
        token + "x",
        token[:-1],
        "oct_aaaaaaaa" + token[12:],
        token.upper(),
        token + "\0",
        "é" * 55,
        "oct_' OR 1=1 --",
    ):
        assert refusal(database, wrong) == "invalid_key", wrong


def test_a_key_ends(database: Database) -> None:
    # Given a key that has a day
    with database.reading() as session:
        tomorrow = now(session) + timedelta(days=1)
    made, token = keys.create(database, "a", scopes=[Scope.READ], expires_at=tomorrow)
    assert authenticate(database, token).expires_at == made.expires_at == tomorrow
    # When that is over, then it lets nobody in
    change(database, expires_at=tomorrow - timedelta(days=2))
    assert refusal(database, token) == "key_expired"


def test_a_revoked_key_is_out_at_once(database: Database) -> None:
    made, token = keys.create(database, "a", scopes=[Scope.READ])
    authenticate(database, token)
    # When it is revoked
    revoked = keys.revoke(database, made.prefix)
    # Then the very next request is refused
    assert refusal(database, token) == "key_revoked"
    # And revoking it again, by whichever name, changes nothing
    assert keys.revoke(database, str(made.id)) == revoked
    assert keys.revoke(database, token) == revoked


def test_what_is_no_key_cannot_be_revoked(database: Database) -> None:
    _, token = keys.create(database, "shop", scopes=[Scope.READ])
    for name in ("oct_zzzzzzzz", str(uuid4()), "", "shop", "' OR 1=1", "\0", "\ud800"):
        with pytest.raises(NotFound) as caught:
            keys.revoke(database, name)
        assert caught.value.code == "key_not_found"
    authenticate(database, token)


def test_keys_are_listed_newest_first(database: Database) -> None:
    first, _ = keys.create(database, "first", scopes=[Scope.READ])
    second, _ = keys.create(database, "second", scopes=[Scope.ADMIN])
    revoked = keys.revoke(database, str(first.id))
    assert keys.list_keys(database) == (second, revoked)


def test_a_key_that_makes_no_sense_is_not_made(database: Database) -> None:
    for values, field in (
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"owner": ""}, "owner"),
        ({"owner": "two words"}, "owner"),
        ({"owner": "x" * 65}, "owner"),
        ({"scopes": []}, "scopes"),
        ({"limits": Limits(requests_per_minute=-1)}, "requests_per_minute"),
        ({"limits": Limits(jobs_in_flight=10**7)}, "jobs_in_flight"),
    ):
        with pytest.raises(InputError) as caught:
            keys.create(database, **{"name": "shop", "owner": "shop", "scopes": [Scope.READ], **values})
        assert (caught.value.code, caught.value.field) == ("invalid_field", field)
    assert keys.list_keys(database) == ()


def test_a_key_that_has_ended_is_not_made(database: Database) -> None:
    with database.reading() as session:
        past = now(session) - timedelta(seconds=1)
    with pytest.raises(InputError) as caught:
        keys.create(database, "a", scopes=[Scope.READ], expires_at=past)
    assert caught.value.field == "expires_at"


def test_its_last_use_is_kept_to_the_minute(database: Database) -> None:
    made, token = keys.create(database, "a", scopes=[Scope.READ])

    def used() -> KeyRecord:
        limits.admit(database, token, requests_per_minute=600)
        return keys.list_keys(database)[0]

    # When it is used for the first time, then that is written down
    assert made.last_used_at is None
    first = used().last_used_at
    assert first is not None
    # And again within the minute, it is not
    assert used().last_used_at == first
    # And a minute later, it is, and also where requests are not counted
    change(database, last_used_at=first - timedelta(seconds=61))
    assert used().last_used_at >= first
    change(database, last_used_at=first - timedelta(seconds=61), requests_per_minute=0)
    assert used().last_used_at >= first


def test_a_key_may_be_used_by_many_at_once(database: Database) -> None:
    made, token = keys.create(database, "a", scopes=[Scope.READ])
    results = at_once(*[lambda: limits.admit(database, token, requests_per_minute=600)] * 16)
    assert [result[0].id for result in results] == [made.id] * 16
