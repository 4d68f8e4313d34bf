from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from octavia.jobs.access.webhooks import Verdict
from octavia.worker.courier import outcome_of


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_a_delivery(status: int) -> None:
    # Given an answer of success
    # When it is read
    # Then the webhook is delivered, and nothing is wrong
    outcome = outcome_of(status, "")
    assert (outcome.verdict, outcome.status, outcome.error) == (Verdict.DELIVERED, status, None)


@pytest.mark.parametrize("status", [101, 400, 401, 403, 404, 405, 408, 409, 418, 422, 425, 429, 451, 500, 503, 599])
def test_any_other_answer_is_tried_again(status: int) -> None:
    # Given an answer that may be another one later, once somebody has renewed a key, or deployed a route
    # When it is read
    # Then the webhook is tried again, when the receiver wants it
    outcome = outcome_of(status, "5")
    assert (outcome.verdict, outcome.error) == (Verdict.TRY_AGAIN, f"The receiver answered {status}.")
    assert outcome.retry_after == 5


def test_a_receiver_that_is_gone_is_left_alone() -> None:
    # Given the answer that says that nobody will be there again
    # When it is read
    # Then it is not tried again
    outcome = outcome_of(410, "5")
    assert (outcome.verdict, outcome.status) == (Verdict.GONE, 410)
    assert "410" in (outcome.error or "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_called_one_and_tried_again(status: int) -> None:
    # Given a redirect, as of a proxy that sends everybody to a page to log in
    # When it is read
    # Then the error says that it is not followed
    outcome = outcome_of(status, "")
    assert outcome.verdict is Verdict.TRY_AGAIN
    assert f"redirects ({status})" in (outcome.error or "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("120", 120), ("soon", 0), ("-5", 0), ("²", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("9" * 400, 1e9)],
)
def test_retry_after_is_read_as_far_as_it_makes_sense(header: str, seconds: float) -> None:
    # Given a Retry-After header, sensible or not
    # When it is read
    # Then it is so many seconds
    assert outcome_of(503, header).retry_after == pytest.approx(seconds, rel=0.01)


def test_retry_after_may_be_a_date() -> None:
    # Given a date ten minutes ahead
    header = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    # When it is read
    # Then it is about ten minutes
    assert outcome_of(503, header).retry_after == pytest.approx(600, abs=60)


def test_a_date_is_meant_by_the_receivers_clock() -> None:
    # Given a receiver whose clock is two hours behind, or ours is ahead
    theirs = datetime.now(UTC) - timedelta(hours=2)
    until, date = (format_datetime(moment, usegmt=True) for moment in (theirs + timedelta(minutes=10), theirs))
    # When it asks for ten minutes
    # Then it gets them
    assert outcome_of(503, until, date).retry_after == 600
