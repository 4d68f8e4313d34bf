"""A real Prometheus reads a real service, and has everything that dashboards and alerts ask for."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from octavia.metrics.declared import OF_DATABASE, OF_THIS_PROCESS
from octavia.metrics.measures import known
from tests.e2e.service import Service, clip, service
from tests.support.monitoring import (
    DASHBOARDS,
    Asked,
    Selector,
    alerts,
    asked_by_dashboards,
    asked_by_rules,
    dashboard,
    rules,
    selectors,
)
from tests.support.ports import free_ports
from tests.support.prometheus import PrivatePrometheus
from tests.support.receiver import SECRET, Receiver
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

_SPANISH = {"type": "dub", "source_language": "en", "target_language": "es"}

_RARE = {
    'octavia_http_requests_total{status!="503",status=~"5.."}',
    "octavia_scheduler_last_round_seconds",
    "octavia_certificate_expiry_seconds",
    # Failures that the input does not explain
    *(each.text for rule in asked_by_rules() for each in selectors(rule.expr) if "code!~" in each.text),
}
"""What a run of a minute may not bring about. Prometheus must have heard of it, and its labels must be declared."""


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
        # Some scrapes after the last thing that happens there are rates.
        until(
            lambda: metrics.value("min(count_over_time(octavia_webhook_deliveries_total[5m]))") > 3,
            every=0.2,
        )
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


def _missing(metrics: PrivatePrometheus, selector: Selector) -> set[str]:
    """Labels that the chosen series lack; the selector itself if there are no such series."""
    found = list(metrics.get("series", **{"match[]": selector.text}))
    if found:
        return selector.labels - {label for one in found for label in one}
    # OpenMetrics names a counter without its ending.
    names = (selector.metric, selector.metric.removesuffix("_total"))
    if selector.text in _RARE and any(metrics.get("metadata", metric=name) for name in names):
        return selector.labels - _declared_labels(selector.metric)
    return {selector.text}


def _declared_labels(metric: str) -> set[str]:
    if metric in known():
        return set(known()[metric].labels)
    figure = (OF_DATABASE | OF_THIS_PROCESS)[metric]
    return {figure.label, "instance"}


def test_every_metric_and_label_is_there(watched: tuple[Service, PrivatePrometheus]) -> None:
    _, metrics = watched
    # When all series that dashboards and rules choose are looked up
    missing = {
        (asked.where, selector.text): lacking
        for asked in (*asked_by_dashboards(), *asked_by_rules())
        for selector in selectors(asked.expr)
        if ":" not in selector.metric and (lacking := _missing(metrics, selector))
    }
    # Then they exist, with the labels by which they are told apart
    assert missing == {}


@pytest.mark.parametrize("asked", asked_by_dashboards(), ids=lambda asked: asked.where)
def test_a_panel_shows_something(watched: tuple[Service, PrivatePrometheus], asked: Asked) -> None:
    _, metrics = watched
    # When a panel's query is sent to Prometheus
    result = metrics.query(asked.expr)
    # Then it is answered, with every label that the legend names
    assert result or {selector.text for selector in selectors(asked.expr)} & _RARE
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


def test_panels_can_be_drawn_without_grafana(watched: tuple[Service, PrivatePrometheus], tmp_path: Path) -> None:
    _, metrics = watched
    script, out = Path(__file__).parents[2] / "scripts" / "panels.py", tmp_path / "panels.svg"
    for path in DASHBOARDS:
        # When the script is told of a dashboard
        command = [sys.executable, str(script), "--prometheus", metrics.url, "--minutes", "5", str(out)]
        subprocess.run([*command, "--dashboard", str(path)], check=True)
        # Then its picture is SVG with the title of each panel, and with lines
        words = {element.text for element in ElementTree.parse(out).iter("{http://www.w3.org/2000/svg}text")}
        drawn = [one for one in dashboard(path)["panels"] if one["type"] in ("stat", "bargauge", "timeseries")]
        assert {one["title"] for one in drawn} <= words
        assert 10_000 < out.stat().st_size < 200_000


def test_a_worker_that_is_gone_is_noticed(watched: tuple[Service, PrivatePrometheus]) -> None:
    running, metrics = watched
    # Given a service whose workers are gone for good
    running.kill("worker")
    # When Prometheus has looked again
    until(lambda: any(alert["labels"]["alertname"] == "OctaviaTargetDown" for alert in metrics.get("alerts")["alerts"]))
    # Then its alert waits to fire, and its text names the process
    (alert,) = [one for one in metrics.get("alerts")["alerts"] if one["labels"]["alertname"] == "OctaviaTargetDown"]
    assert re.fullmatch(r"octavia-worker at 127\.0\.0\.1:\d{1,5} cannot be read", alert["annotations"]["summary"])
