"""Orders to pause, drain and resume: what they say, how they meet, and the record of them."""

import pytest

from octavia.errors import InputError, NotFound
from octavia.jobs.operations import audit, pauses
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.pauses import PauseRecord, list_pauses, mode_of
from octavia.jobs.tables.states import PauseMode, Queue
from tests.integration.jobs.steps import at_once

PAUSE, DRAIN = PauseMode.PAUSE, PauseMode.DRAIN


def test_an_order_is_kept_once_and_the_newest_counts(database: Database) -> None:
    # Given a paused queue
    first = pauses.pause(database, Queue.TRANSLATE, None, PAUSE, reason="new model", by="ann")
    # When the same is ordered again, Then nothing changes, not even who ordered it
    assert pauses.pause(database, Queue.TRANSLATE, None, PAUSE, reason="new model", by="bob") == first
    # When it is drained instead, Then that is in force, under the same id
    second = pauses.pause(database, Queue.TRANSLATE, None, DRAIN, by="bob")
    assert (second.id, second.mode, second.reason, second.by) == (first.id, DRAIN, "", "bob")
    assert list_pauses(database) == (second,)
    # And each change was written down
    found = [(one.action, one.target, one.by, one.count) for one in audit.list_actions(database).actions]
    assert found == [("drain", "queue translate", "bob", 1), ("pause", "queue translate", "ann", 1)]


def test_orders_of_several_at_once_make_one_pause(database: Database) -> None:
    # When four operators pause a queue at once
    def order(by: str) -> PauseRecord:
        return pauses.pause(database, Queue.DEFAULT, "one", PAUSE, by=by)

    found = at_once(*(lambda by=by: order(by) for by in "abcd"))
    # Then there is one pause, which all of them are told of
    assert len({order.id for order in found if isinstance(order, PauseRecord)}) == 1
    assert len(found) == 4
    assert len(list_pauses(database)) == len(audit.list_actions(database).actions) == 1


def test_a_pause_ends_once(database: Database) -> None:
    # Given pauses of a queue, of a host, and of everything
    queue = pauses.pause(database, Queue.DEFAULT, None, PAUSE, by="ann")
    host = pauses.pause(database, None, "one", PAUSE, by="ann")
    everything = pauses.pause(database, None, None, DRAIN, by="ann")
    # When one ends, by its id or its names, Then the others stay
    assert pauses.resume(database, queue.id, by="bob") == queue
    assert pauses.resume_named(database, None, "one", by="bob") == host
    assert list_pauses(database) == (everything,)
    # And what has ended, or never began, cannot end
    for again in (
        lambda: pauses.resume(database, queue.id, by="bob"),
        lambda: pauses.resume_named(database, Queue.DEFAULT, None, by="bob"),
        lambda: pauses.resume_named(database, Queue.DEFAULT, "one", by="bob"),
    ):
        with pytest.raises(NotFound) as refused:
            again()
        assert refused.value.code == "pause_not_found"
    # And both ends were written down
    targets = [one.target for one in audit.list_actions(database).actions if one.action == "resume"]
    assert targets == ["host one", "queue default"]


def test_what_workers_have_to_do(database: Database) -> None:
    # Given a paused queue, and a drained host
    pauses.pause(database, Queue.TRANSLATE, None, PAUSE, by="ann")
    pauses.pause(database, None, "one", DRAIN, by="ann")
    found = list_pauses(database)
    # Then the stronger order counts where both apply
    assert mode_of(found, Queue.TRANSLATE, "one") is DRAIN
    assert mode_of(found, Queue.TRANSLATE, "two") is PAUSE
    assert mode_of(found, Queue.DEFAULT, "one") is DRAIN
    assert mode_of(found, Queue.DEFAULT, "two") is None


@pytest.mark.parametrize("host", ["", "a b", "a\nb", "\0", "x" * 256, "\u202e"])
def test_a_host_that_cannot_be_is_refused(database: Database, host: str) -> None:
    with pytest.raises(InputError) as refused:
        pauses.pause(database, None, host, PAUSE, by="ann")
    assert (refused.value.code, refused.value.field) == ("invalid_field", "host")
    assert list_pauses(database) == ()


@pytest.mark.parametrize("reason", ["x" * 501, "\0"])
def test_a_reason_that_cannot_be_kept_is_refused(database: Database, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        pauses.pause(database, None, None, PAUSE, reason=reason, by="ann")
    assert refused.value.field == "reason"
