"""The headers that a dead letter is given, whatever it had."""

from datetime import UTC, datetime

import pika
import pytest

from octavia import __version__
from octavia.brokers.dead_letters import dead_letter, labelled, unlabelled
from octavia.jobs.tables.states import Queue


def _read(properties: pika.BasicProperties, body: bytes = b"x"):
    return dead_letter(Queue.TRANSCRIBE, "octavia.transcribe.v1.XQ", properties, body)


def test_a_label_says_why_and_keeps_the_rest() -> None:
    # Given a message with properties of its own, some of which only its first sender may have
    sent = pika.BasicProperties(
        headers={"trace": "abc", "CC": ["elsewhere"]},
        content_type="text/x",
        user_id="somebody",
        expiration="10",
        delivery_mode=1,
    )
    # When it is put with the dead letters
    put = labelled(sent, queue="octavia.transcribe.v1", reason="not for us")
    # Then it says why, whence and by which release, stays until it is looked at, and goes nowhere else
    letter = _read(put)
    assert (letter.reason, letter.release) == ("not for us", __version__)
    assert abs((datetime.now(UTC) - letter.died_at).total_seconds()) < 60
    assert put.headers["x-octavia-queue"] == "octavia.transcribe.v1"
    assert (put.user_id, put.expiration, put.delivery_mode) == (None, None, 2)
    assert (put.headers["trace"], put.content_type, "CC" in put.headers) == ("abc", "text/x", False)
    # And what was delivered is as it was
    assert sent.user_id == "somebody"
    # When it goes back, then as it came
    assert unlabelled(put).headers == {"trace": "abc"}


@pytest.mark.parametrize("odd", [{"big": "x" * 70_000}, {"huge": 2**200}], ids=["too large", "not to be written"])
def test_headers_that_cannot_be_sent_are_left_out(odd: dict[str, object]) -> None:
    put = labelled(pika.BasicProperties(headers=odd), queue="q", reason="why")
    assert sum(map(len, put.encode())) < 70_000
    assert put.headers["x-octavia-headers"] == "left out"
    assert _read(put).reason == "why"


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {"x-death": "odd"},
        {"x-death": []},
        {"x-death": ["odd"]},
        {"x-octavia-time": "soon"},
        {"x-octavia-time": 7},
    ],
)
def test_headers_may_be_anybodys(headers: dict[str, object] | None) -> None:
    letter = _read(pika.BasicProperties(headers=headers))
    assert (letter.reason, letter.died_at, letter.job_id) == ("unknown", None, None)


def test_the_same_letter_has_the_same_id_however_often_it_is_delivered() -> None:
    put = labelled(pika.BasicProperties(), queue="q", reason="why")
    first = _read(put).id
    put.headers["x-delivery-count"] = 3
    assert _read(put).id == first
    assert _read(put, b"y").id != first
    assert _read(labelled(pika.BasicProperties(), queue="q", reason="why")).id != first
