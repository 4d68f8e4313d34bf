"""What the doctor makes of RabbitMQ; ``tests/integration/worker/test_doctor.py`` has it look at a real one."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from octavia.cli.broker import version
from octavia.cli.doctor.broker_checks import broker, needed_consumer_timeout
from octavia.cli.doctor.findings import Verdict
from octavia.settings import Settings
from rabbitmq import control

CONFIGURATION = Path(control.__file__).with_name("rabbitmq.conf")


def test_the_projects_rabbitmq_waits_as_long_as_a_task_may_take() -> None:
    # Given the project's configuration of RabbitMQ
    (configured,) = re.findall(r"^consumer_timeout = (\d+)$", CONFIGURATION.read_text(), re.MULTILINE)
    # Then it is above what tasks may take by the settings' defaults: of the longest recording, 20 times its length
    needed = needed_consumer_timeout(Settings())
    assert needed == (20 * 6 * 3600 + 5 * 1800) * 1000
    assert needed < int(configured)


def test_what_is_needed_follows_the_settings() -> None:
    short = Settings(max_media_seconds=10, chunk_seconds=10, hard_limit_seconds=300, load_limit_seconds=60)
    assert needed_consumer_timeout(short) == (300 + 5 * 60) * 1000
    assert needed_consumer_timeout(short.model_copy(update={"hard_limit_seconds": 900})) == (900 + 5 * 60) * 1000


def test_all_urls_are_looked_at() -> None:
    # Given a cluster of which nobody answers
    findings = broker(Settings(broker_url="amqp://me:secret@127.0.0.1:1/;amqp://127.0.0.1:2/"))
    # Then each is named, and no password
    assert [finding.verdict for finding in findings] == [Verdict.BAD, Verdict.BAD]
    assert "127.0.0.1:1 does not answer" in findings[0].detail
    assert "127.0.0.1:2 does not answer" in findings[1].detail
    assert "secret" not in str(findings)


@pytest.mark.parametrize(
    ("introduced", "understood"),
    [
        ({"version": "3.10.8"}, (3, 10, 8)),
        ({"version": b"4.1.0-rc.2"}, (4, 1, 0)),
        ({"version": "unknown"}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_a_version_is_what_the_server_says(introduced: object, understood: tuple[int, ...]) -> None:
    assert version(SimpleNamespace(_impl=SimpleNamespace(server_properties=introduced))) == understood


def test_a_timeout_that_cannot_be_read_is_unknown() -> None:
    # Given a port of this machine on which no RabbitMQ listens
    assert control.consumer_timeout(1) is None
