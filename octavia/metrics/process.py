"""The metrics of this process itself."""

import psutil
from prometheus_client import ProcessCollector

import octavia
from octavia.metrics.declared import BUILD_INFO, PROCESS_RESIDENT
from octavia.metrics.measures import REGISTRY

ProcessCollector(registry=REGISTRY)


def describe(role: str) -> None:
    """Say what this process does: ``api``, ``worker`` or ``scheduler``."""
    BUILD_INFO.labels(octavia.__version__, role).set(1)
    PROCESS_RESIDENT.labels(role).set_function(lambda: psutil.Process().memory_info().rss)
