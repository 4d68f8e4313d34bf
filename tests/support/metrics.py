"""Samples of metrics, as Prometheus would store them."""

import urllib.request

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from octavia.metrics.measures import REGISTRY


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The samples in an exposition, by name and labels; raises ``ValueError`` for what Prometheus could not read."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    """One sample's value; None if it is not there."""
    return samples(text).get((name, frozenset(labels.items())))


def counted(name: str, *, registry: CollectorRegistry = REGISTRY, **labels: str) -> float:
    """What this process has counted; 0 if it has not begun to."""
    return registry.get_sample_value(name, labels) or 0.0


def scrape(port: int, *, accept: str = "", timeout: float = 10) -> str:
    """Read a port as Prometheus does."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"accept": accept})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        text: str = answer.read().decode()
        return text
