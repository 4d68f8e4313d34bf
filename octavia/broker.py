"""The broker and, in one visible list, what surrounds every message."""

import dramatiq

from octavia.brokers.embedded import EmbeddedBroker
from octavia.brokers.queues import TaskBroker
from octavia.brokers.rabbit import RabbitBroker
from octavia.jobs.tables.database import Database
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
    """The broker that the settings name, also made Dramatiq's global one; connects when first used.

    Parameters:
      storage: Where the actors' artifacts lie; made from the settings if not given.
      process: The worker process that consumes; not needed to publish.
    """
    middleware = make_middleware(
        settings, db, storage or Storage(settings.storage), process or Process(worker_id("publisher"))
    )
    broker = EmbeddedBroker(settings, db, middleware) if settings.embedded else RabbitBroker(settings, middleware)
    dramatiq.set_broker(broker)
    return broker


def make_middleware(settings: Settings, db: Database, storage: Storage, process: Process) -> list[dramatiq.Middleware]:
    """What surrounds every message: from the top before its actor runs, from the bottom after it.

    Dramatiq's own Retries, Pipelines and TimeLimit are not here: a retry, the next stage and a time limit are state,
    and state changes in one transaction.
    """
    retries = Retries(db, settings, process)
    # What was killed at the hard limit of maintenance is older than that when it is delivered again: so it is skipped,
    # and does not hold its queue another time.
    late = settings.load_limit_seconds
    return [
        Postpone(db, process),
        SkipLate(db, process, after=late),
        Status(db, storage, settings, process, retries),
        retries,
        TimeLimits(settings, process),
    ]
