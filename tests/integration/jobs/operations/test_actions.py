"""Actions on many jobs: in parts, cut short, against limits; and with changes of priority."""

from uuid import UUID

import pytest

from octavia.errors import CountChanged
from octavia.jobs.access import keys
from octavia.jobs.access.keys import Limits, Scope
from octavia.jobs.lifecycle import submit
from octavia.jobs.operations import actions, audit
from octavia.jobs.operations.actions import Action, Order
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType, Priority
from tests.integration.jobs.steps import MEDIA, Steps, at_once

CANCEL = Order(Action.CANCEL, None, filter="")


def statuses(steps: Steps, ids: list[UUID]) -> list[JobStatus]:
    return [steps.job(job_id).status for job_id in ids]


def test_more_than_fit_into_one_request_are_left_for_the_next(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more jobs than an order changes
    monkeypatch.setattr(actions, "AT_ONCE", 3)
    ids = [steps.submit().id for _ in range(5)]
    # When they are canceled, Then the oldest are, and the answer says how many remain
    first = actions.carry_out(steps.db, CANCEL, by="root", expected=5)
    assert (first.count, first.remaining) == (3, 2)
    assert statuses(steps, ids) == [JobStatus.CANCELED] * 3 + [JobStatus.QUEUED] * 2
    # And the next order, with what remained, does the rest
    second = actions.carry_out(steps.db, CANCEL, by="root", expected=2)
    assert (second.count, second.remaining) == (2, 0)
    assert set(statuses(steps, ids)) == {JobStatus.CANCELED}


def test_an_action_that_is_cut_short_says_how_far_it_came(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given five jobs, two to a transaction, and a process that dies at the fourth
    monkeypatch.setattr(actions, "_IN_A_TRANSACTION", 2)
    ids = [steps.submit().id for _ in range(5)]
    real = actions._ACTS[Action.CANCEL]

    def dying(session: object, job: object, order: object) -> None:
        if getattr(job, "id", None) == ids[3]:
            raise SystemExit
        real(session, job, order)  # type: ignore[arg-type]

    monkeypatch.setitem(actions._ACTS, Action.CANCEL, dying)
    # When they are canceled
    with pytest.raises(SystemExit):
        actions.carry_out(steps.db, CANCEL, by="root", expected=5)
    # Then the record tells exactly how many are
    assert statuses(steps, ids) == [JobStatus.CANCELED] * 2 + [JobStatus.QUEUED] * 3
    (record,) = audit.list_actions(steps.db).actions
    assert (record.count, record.detail) == (2, {"skipped": 0, "remaining": 3})
    # And when it is ordered again, Then the rest is done
    monkeypatch.undo()
    assert actions.carry_out(steps.db, CANCEL, by="root", expected=3).count == 3


def test_an_order_stops_when_its_time_is_over(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more jobs than there is time for
    monkeypatch.setattr(actions, "_IN_A_TRANSACTION", 2)
    ids = [steps.submit().id for _ in range(5)]
    # When they are canceled without any time, Then one transaction's are, and the answer says how many remain
    done = actions.carry_out(steps.db, CANCEL, by="root", expected=5, seconds=0)
    assert (done.count, done.remaining) == (2, 3)
    assert audit.list_actions(steps.db).actions[0].detail["remaining"] == 3
    assert statuses(steps, ids).count(JobStatus.CANCELED) == 2


def test_a_job_that_breaks_keeps_no_other_from_its_turn(steps: Steps) -> None:
    # Given failed jobs, one of which has an input that its type cannot have
    ids = [steps.submit().id for _ in range(3)]
    for job_id in ids:
        steps.change_job(job_id, status=JobStatus.FAILED)
    steps.change_job(ids[1], type=JobType.SYNTHESIZE)
    # When all are retried, Then the others are, and the answer names that one
    done = actions.carry_out(steps.db, Order(Action.RETRY, None, filter=""), by="root", expected=3)
    assert (done.count, [(one.id, one.code) for one in done.skipped]) == (2, [(ids[1], "internal_error")])
    assert statuses(steps, ids) == [JobStatus.QUEUED, JobStatus.FAILED, JobStatus.QUEUED]


def test_two_orders_with_one_count_act_on_each_job_once(steps: Steps) -> None:
    # Given jobs that were counted twice
    ids = [steps.submit().id for _ in range(6)]
    # When both confirm at once
    outcomes = at_once(*(lambda: actions.carry_out(steps.db, CANCEL, by="root", expected=6),) * 2)
    # Then each job is canceled by one of them, and an order that came too late is refused or has nothing to do
    done = sum(one.count for one in outcomes if isinstance(one, actions.Outcome))
    assert done == 6
    assert all(isinstance(one, actions.Outcome | CountChanged) for one in outcomes)
    assert set(statuses(steps, ids)) == {JobStatus.CANCELED}
    # And each job was told so once
    for job_id in ids:
        assert [event.type for event in steps.events(job_id)].count("canceled") == 1


def test_a_keys_limit_holds_for_what_an_operator_retries(steps: Steps) -> None:
    # Given a key that may have one unfinished job, and two canceled ones of it
    key, _ = keys.create(steps.db, "ann", scopes=[Scope.WRITE], limits=Limits(jobs_in_flight=1))
    ids = []
    for _ in range(2):
        new = NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), owner="ann", key_id=key.id, jobs_in_flight=1)
        ids.append(submit.create(steps.db, new).id)
        actions.carry_out(steps.db, Order(Action.CANCEL, None, ids=(ids[-1],)), by="root")
    # When both are retried, Then one is, and the other one is skipped with the reason
    done = actions.carry_out(steps.db, Order(Action.RETRY, None, filter="owner:ann"), by="root", expected=2)
    assert (done.count, [(one.id, one.code) for one in done.skipped]) == (1, [(ids[1], "too_many_jobs")])


def test_jobs_that_may_not_be_seen_are_not_counted(steps: Steps) -> None:
    mine = submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input=dict(MEDIA), owner="ann")).id
    steps.submit()
    seen = actions.preview(steps.db, Order(Action.DELETE, "ann", filter=""))
    assert (seen.count, seen.skipped, seen.sample) == (1, 0, (mine,))


def test_priorities_of_many_are_changed_at_once(steps: Steps) -> None:
    # Given two jobs that wait, one of them urgent already
    urgent, normal = steps.submit(), steps.submit()
    steps.change_job(urgent.id, priority=3)
    order = Order(Action.PRIORITIZE, None, filter="", priority=Priority.HIGH)
    assert actions.preview(steps.db, order).count == 1
    # When all become urgent, Then the one that was not is changed
    assert actions.carry_out(steps.db, order, by="root", expected=1).count == 1
    assert steps.job(normal.id).priority == 3
    # And the record names the new priority
    assert audit.list_actions(steps.db).actions[0].detail["priority"] == "high"


def test_the_record_is_read_in_pages(steps: Steps) -> None:
    # Given three actions
    for _ in range(3):
        steps.submit()
        actions.carry_out(steps.db, CANCEL, by="root", expected=1)
    # When they are read two at a time, Then each comes once, newest first
    first = audit.list_actions(steps.db, limit=2)
    second = audit.list_actions(steps.db, cursor=first.next_cursor, limit=2)
    assert second.next_cursor is None
    read = [*first.actions, *second.actions]
    assert [action.at for action in read] == sorted((action.at for action in read), reverse=True)
    assert len({action.id for action in read}) == 3
