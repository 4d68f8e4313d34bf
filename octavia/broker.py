"""The broker, and the list of middleware around every message."""

import dramatiq

from octavia.brokers.embedded import EmbeddedBroker
from octavia.brokers.queues import TaskBroker
from octavia.jobs.tables.database import Database
from octavia.middleware.paused import Paused
from octavia.middleware.periodic import SkipLate
from octavia.middleware.postpone import Postpone
from octavia.middleware.process import Process, worker_id
from octavia.middleware.retries import Retries
from octavia.middleware.status import Status
from octavia.middleware.time_limits import TimeLimits
from octavia.settings import Settings
from octavia.storage import Storage


def make_broker(
    settings: Settings, db: Database, storage: Storage | None = None, *, process: Process | None = None
) -> TaskBroker:
    """Make the broker that the settings name; it connects when first used.

    It also becomes Dramatiq's global broker: ``dramatiq.pipeline``, which composes the messages of a chunk, asks for
    one, and would otherwise make one for a RabbitMQ on this machine.

    Parameters:
      storage: Where actors keep artifacts; None: as the settings say.
      process: The worker process that consumes; None for a process that only publishes.
    """
    middleware = make_middleware(
        settings, db, storage or Storage(settings.storage), process or Process(worker_id("publisher"))
    )
    broker: TaskBroker
    if settings.embedded:
        broker = EmbeddedBroker(settings, db, middleware)
    else:
        # Imported only where RabbitMQ is used.
        from octavia.brokers.rabbit import RabbitBroker

        broker = RabbitBroker(settings, middleware)
    dramatiq.set_broker(broker)
    return broker


def make_middleware(settings: Settings, db: Database, storage: Storage, process: Process) -> list[dramatiq.Middleware]:
    """The middleware around every message: from the top before its actor runs, from the bottom after it.

    Dramatiq's own Retries, Pipelines and TimeLimit are not here: a retry, the next stage and a time limit are state,
    and state changes in one transaction.
    """
    retries = Retries(db, settings, process)
    return [
        Paused(),
        Postpone(db, process),
        # Maintenance that was killed at its hard limit is older than that limit when it is delivered again: it is
        # skipped, so that it does not block its queue once more.
        SkipLate(db, process, after=settings.load_limit_seconds),
        Status(db, storage, settings, process, retries),
        retries,
        TimeLimits(settings, process),
    ]
