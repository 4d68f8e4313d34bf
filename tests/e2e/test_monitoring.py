"""A real Prometheus reads a real service, and has everything that dashboards and alerts ask for."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import Service, clip, service
from tests.support.monitoring import Asked, Selector, alerts, asked_by_dashboards, asked_by_rules, rules, selectors
from tests.support.ports import free_ports
from tests.support.prometheus import PrivatePrometheus
from tests.support.receiver import SECRET, Receiver
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

_SPANISH = {"type": "dub", "source_language": "en", "target_language": "es"}

# What a run of half a minute does not bring about. Their metric must be there, and its labels.
_NOT_BROUGHT_ABOUT = {
    'octavia_http_requests_total{status!="503",status=~"5.."}',
}
# There only where a certificate is used.
_ABSENT = {"octavia_certificate_expiry_seconds"}


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, postgres: Any, postgres_template: str, rabbitmq: Any
) -> Iterator[tuple[Service, PrivatePrometheus]]:
    """A service over PostgreSQL and RabbitMQ that has done work of each kind, and the Prometheus that looked on."""
    folder = tmp_path_factory.mktemp("watched")
    ports = dict(zip(("api", "worker", "scheduler"), free_ports(3), strict=True))
    database = postgres.create(postgres_template)
    with (
        service(
            folder,
            OCTAVIA_DATABASE_URL=postgres.url(database),
            OCTAVIA_BROKER_URL=rabbitmq.url,
            OCTAVIA_QUEUE_PREFIX="monitoring",
            OCTAVIA_WORKER_SLOTS="1",
            OCTAVIA_METRICS_INTERVAL="1",
            OCTAVIA_RETRY_DELAYS="0.5,0.5,0.5",
            OCTAVIA_OUTBOUND_ALLOW="127.0.0.1",
        ) as running,
        PrivatePrometheus(folder / "prometheus", {f"octavia-{name}": port for name, port in ports.items()}) as metrics,
        Receiver() as receiver,
    ):
        for name, arguments in (("scheduler", ("scheduler",)), ("worker", ("worker",))):
            running.environment["OCTAVIA_METRICS_PORT"] = str(ports[name])
            running.start(name, *arguments)
        running.environment["OCTAVIA_METRICS_PORT"] = str(ports["api"])
        running.start_api()
        until(lambda: metrics.value('count(up{job=~"octavia.*"} == 1)') == 3, every=0.2)
        _work(running, folder, receiver.url)
        # Two scrapes later there are rates.
        until(lambda: metrics.value('min(count_over_time(octavia_jobs_finished_total{outcome="failed"}[5m]))') > 3)
        yield running, metrics
    postgres.drop(database)


def _work(running: Service, folder: Path, receiver: str) -> None:
    """A dub whose worker is killed, a recording that is none, and a job that is canceled."""
    job = running.submit(clip(folder, 8), **_SPANISH, webhook_url=receiver, webhook_secret=SECRET)
    (folder / "none.flac").write_bytes(b"no recording")
    bad = running.submit(folder / "none.flac", **_SPANISH)
    running.until_started(job["id"], "synthesize")
    for child in running.children("worker"):
        child.kill()
    canceled = running.submit(clip(folder, 8), **_SPANISH)
    assert running.client.post(f"/api/v1/jobs/{canceled['id']}/cancel").is_success
    assert running.until_ended(job["id"])["status"] == "completed", running.logs()
    assert running.until_ended(bad["id"])["status"] == "failed"


def _series(metrics: PrivatePrometheus, selector: str) -> list[dict[str, str]]:
    return list(metrics.get("series", **{"match[]": selector}))


def _missing(metrics: PrivatePrometheus, selector: Selector) -> set[str]:
    """Labels that the chosen series lack; the metric's name if there are no such series."""
    text = selector.metric if selector.text in _NOT_BROUGHT_ABOUT else selector.text
    found = _series(metrics, text)
    return selector.labels - {label for one in found for label in one} if found else {text}


def test_every_metric_and_label_is_there(watched: tuple[Service, PrivatePrometheus]) -> None:
    _, metrics = watched
    # When all series that dashboards and rules choose are looked up
    missing = {
        (asked.where, selector.text): lacking
        for asked in (*asked_by_dashboards(), *asked_by_rules())
        for selector in selectors(asked.expr)
        if (lacking := _missing(metrics, selector)) and selector.metric not in _ABSENT
    }
    # Then they exist, with the labels by which they are told apart
    assert missing == {}


def test_exceptions_are_none_too_many(watched: tuple[Service, PrivatePrometheus]) -> None:
    _, metrics = watched
    assert [each for each in (*_NOT_BROUGHT_ABOUT, *_ABSENT) if _series(metrics, each)] == []


@pytest.mark.parametrize("asked", asked_by_dashboards(), ids=lambda asked: asked.where)
def test_a_panel_shows_something(watched: tuple[Service, PrivatePrometheus], asked: Asked) -> None:
    _, metrics = watched
    # When a panel's query is sent to Prometheus
    result = metrics.query(asked.expr)
    # Then it is answered, with every label that the legend names
    assert result or any(selector.metric in _ABSENT for selector in selectors(asked.expr))
    assert [one["metric"] for one in result if not asked.shown <= one["metric"].keys()] == []


def test_rules_are_evaluated(watched: tuple[Service, PrivatePrometheus]) -> None:
    _, metrics = watched
    # When Prometheus has evaluated the rules
    found = [rule for group in metrics.get("rules")["groups"] for rule in group["rules"]]
    # Then it has all of them, none of them failed, and none warns of a service that is well
    assert len(found) == len(rules())
    assert [rule for rule in found if rule["health"] != "ok"] == []
    assert [alert["labels"] for alert in metrics.get("alerts")["alerts"] if alert["state"] == "firing"] == []
    assert {rule["name"] for rule in found if rule["type"] == "alerting"} == set(alerts())


def test_the_numbers_are_right(watched: tuple[Service, PrivatePrometheus]) -> None:
    _, metrics = watched
    # Then Prometheus has seen what was done, and no more
    assert metrics.value("sum(octavia_jobs_submitted_total)") == 3
    ended = {
        one["metric"]["outcome"]: one["value"][1]
        for one in metrics.query("sum by (outcome) (octavia_jobs_finished_total)")
    }
    assert ended == {"completed": "1", "failed": "1", "canceled": "1"}


def test_a_worker_that_is_gone_is_noticed(watched: tuple[Service, PrivatePrometheus]) -> None:
    running, metrics = watched
    # Given a service whose workers are gone for good
    running.kill("worker")
    # When Prometheus has looked again
    until(lambda: any(alert["labels"]["alertname"] == "OctaviaTargetDown" for alert in metrics.get("alerts")["alerts"]))
    # Then its alert waits to fire, and its text names the process
    (alert,) = [one for one in metrics.get("alerts")["alerts"] if one["labels"]["alertname"] == "OctaviaTargetDown"]
    assert re.fullmatch(r"octavia-worker at 127\.0\.0\.1:\d{1,5} cannot be read", alert["annotations"]["summary"])
