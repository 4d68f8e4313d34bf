"""The word of the one connection that listens to RabbitMQ, for those who ask whether it answers."""

import time

import pytest

from octavia.brokers.alarm import AlarmWatch
from octavia.brokers.rabbit import RabbitBroker
from octavia.errors import Unavailable
from octavia.settings import Settings


@pytest.fixture
def watch() -> AlarmWatch:
    return AlarmWatch(RabbitBroker(Settings(broker_url="amqp://127.0.0.1:1/"), []))


def _code(watch: AlarmWatch) -> str | None:
    try:
        watch.check_answers()
    except Unavailable as error:
        return error.code
    return None


def test_a_broker_that_has_not_answered_yet_is_away(watch: AlarmWatch) -> None:
    assert _code(watch) == "broker_unavailable"


def test_an_answer_counts_for_a_while(watch: AlarmWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a broker that has just answered
    moment = watch._answered_at = time.monotonic()
    assert _code(watch) is None
    # When it has been silent for some time, or the thread that asks it hangs, then it is away
    monkeypatch.setattr(time, "monotonic", lambda: moment + 16)
    assert _code(watch) == "broker_unavailable"


def test_an_alarm_is_an_answer_of_its_own(watch: AlarmWatch) -> None:
    # Given a broker that takes no messages, and so no questions
    watch.reason = "low on memory"
    assert _code(watch) == "broker_blocked"
    # When that is over, then it has answered
    watch._over(None, None)
    assert _code(watch) is None


def test_a_connection_that_is_lost_says_why(watch: AlarmWatch) -> None:
    # Given a broker where nobody listens
    with pytest.raises(Unavailable):
        watch._watch()
    # When it is asked for, then the reason is there for the log
    with pytest.raises(Unavailable) as caught:
        watch.check_answers()
    assert "refused" in caught.value.reason
