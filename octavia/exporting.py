"""The metrics of one process of the service, its own and the figures of the database, for its port and for the API."""

import _ssl
import shutil
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from prometheus_client import CollectorRegistry

from octavia.errors import OctaviaError
from octavia.jobs.status import figures
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.states import Queue
from octavia.metrics import declared, process
from octavia.metrics.figures import Figures, Reading, Values
from octavia.metrics.measures import REGISTRY
from octavia.metrics.port import Port
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.urls import parse

Role = Literal["api", "worker", "scheduler"]


class Exporter:
    """The metrics of this process. Call ``start`` before it does anything that is counted.

    Attributes:
      registry: All of them, for Prometheus' encoders.
    """

    def __init__(self, settings: Settings, db: Database, storage: Storage, role: Role) -> None:
        process.describe(role)
        if settings.metrics_owners:
            declared.label_owners()
        read = partial(_read, settings, db, None if settings.embedded else _dead_letters(settings))
        self._figures = Figures(read, partial(_of_this_machine, settings, storage), every=settings.metrics_interval)
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(REGISTRY)
        self.registry.register(self._figures)
        self._port = (
            Port(settings.metrics_host, settings.metrics_port, self.registry) if settings.metrics_port else None
        )

    def start(self) -> None:
        """Start to show them on this process's port, if it has one. May be called again."""
        self._figures.start()
        if self._port:
            self._port.start()

    def stop(self) -> None:
        """Stop."""
        if self._port:
            self._port.stop()
        self._figures.stop()


def _read(settings: Settings, db: Database, dead_letters: Callable[[], Mapping[Queue, int]] | None) -> Reading:
    found, age = figures.current(
        db, interval=settings.metrics_interval, embedded=settings.embedded, dead_letters=dead_letters
    )
    return Reading(found, age)


def _dead_letters(settings: Settings) -> Callable[[], Mapping[Queue, int]]:
    # Not at the top: without a broker no process needs pika.
    from octavia.brokers.dead_letter_queues import DeadLetterQueues

    return DeadLetterQueues(settings).counts_by_queue


def _of_this_machine(settings: Settings, storage: Storage) -> Values:
    free: dict[str, float] = {}
    # What cannot be measured is left out; the log tells of it as soon as somebody writes there.
    with suppress(OSError):
        free["data"] = shutil.disk_usage(settings.data_dir).free
    with suppress(OctaviaError):
        if (left := storage.free()) is not None:
            free["storage"] = left
    found: dict[str, Mapping[str, float]] = {"octavia_disk_free_bytes": free}
    if ends := [end for url in settings.brokers for end in _certificate_ends(url)]:
        found["octavia_certificate_expiry_seconds"] = {"": min(ends) - time.time()}
    return found


def _certificate_ends(broker_url: str) -> Iterator[float]:
    """Yield the ends of the certificates that a URL names, in seconds since 1970, if they can be read."""
    query = parse(broker_url).query
    for name in ("certfile", "cacertfile"):
        if name in query:
            with suppress(OSError, KeyError):
                # The only way in the standard library to read one that is no authority's.
                found: Any = _ssl._test_decode_cert(query[name])  # type: ignore[attr-defined]
                yield ssl.cert_time_to_seconds(found["notAfter"])
