"""What counts as a miss."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from chaos.clients import Ordered
from chaos.orders import Order
from chaos.verdict import differences, doubled, unfinished

ORDER = Order("speak text 1", "synthesize", {})
CALM = {"speak text 1": {"dub.wav": [b"sound"], "dub.json": [b"{}"]}}


def ordered(number: int = 0, status: str = "completed", job_id: UUID | None = None) -> Ordered:
    return Ordered(number, ORDER, f"key-{number}", "oct_one", job_id or uuid4(), 1, status)


def test_the_same_files_are_no_difference() -> None:
    found = {"dub.wav": [b"sound"], "dub.json": [b"{}"]}
    assert list(differences(ordered(), found, CALM)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"dub.json": [b"{}"]}, "lacks dub.wav"),
        ({"dub.wav": [b"sound"], "dub.json": [b"{}"], "more": [b""]}, "has more besides"),
        ({"dub.wav": [b"sound", b"sound"], "dub.json": [b"{}"]}, "has dub.wav 2 times"),
        ({"dub.wav": [b"noise"], "dub.json": [b"{}"]}, "dub.wav differs"),
        ({}, "lacks dub.json"),
    ],
)
def test_every_difference_is_told(found: dict[str, list[bytes]], said: str) -> None:
    assert said in "\n".join(differences(ordered(3), found, CALM))


def test_jobs_that_did_not_complete_are_told() -> None:
    # Given a job that completed, one that failed, and one that nobody heard the end of
    jobs = [ordered(0), ordered(1, "failed: worker_lost"), ordered(2, "")]
    # Then the latter two are misses
    told = list(unfinished(jobs))
    assert len(told) == 2
    assert "failed: worker_lost" in told[0]
    assert "not ended" in told[1]


def test_only_an_order_to_cancel_may_end_canceled_or_be_done_before() -> None:
    # Given an order to cancel, twice, and one to complete, that ended canceled
    fickle = [ordered(0, "canceled"), ordered(1, "completed")]
    for one in fickle:
        one.order = replace(ORDER, canceled=True)
    # Then the last is a miss
    (told,) = unfinished([*fickle, ordered(2, "canceled")])
    assert "job 2" in told
    assert "canceled" in told


def test_a_job_that_answers_for_two_orders_is_told() -> None:
    one, other = ordered(0), ordered(1)
    assert list(doubled([one, other])) == []
    assert len(list(doubled([one, other, ordered(2, job_id=one.job_id)]))) == 1
