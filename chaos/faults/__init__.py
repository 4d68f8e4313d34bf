"""Every kind of fault, by name."""

from chaos.faults import broker, database, messages, processes, storage
from chaos.faults.fault import Fault, Struck

__all__ = ["Fault", "Struck", "all_faults"]


def all_faults(garbage: messages.Garbage) -> dict[str, Fault]:
    """All kinds of fault, by name. Faults that need RabbitMQ to themselves never overlap.

    For example, a repeated message that is lost with a queue which another fault deletes says nothing about Octavia.

    Parameters:
      garbage: Remembers the garbage that is sent.
    """
    return {
        "kill_child": Fault("worker process killed (SIGKILL)", processes.kill_child),
        "crash_child": Fault("worker process crashed (SIGSEGV)", processes.crash_child),
        "freeze_child": Fault("worker process frozen, longer than its lease", processes.freeze_child),
        "freeze_worker": Fault("supervisor and its workers frozen, longer than their leases", processes.freeze_worker),
        "kill_supervisor": Fault("supervisor killed (SIGKILL)", processes.kill_supervisor),
        "restart_workers": Fault("rolling restart of all workers (SIGTERM)", processes.restart_workers),
        "kill_api": Fault("API killed (SIGKILL)", processes.kill_api),
        "kill_scheduler": Fault("scheduler killed (SIGKILL)", processes.kill_scheduler),
        "restart_broker": Fault("RabbitMQ stopped and started", broker.restart_broker, "broker"),
        "kill_broker": Fault("RabbitMQ killed (SIGKILL)", broker.kill_broker, "broker"),
        "reset_connections": Fault("connections to RabbitMQ reset", broker.reset_connections),
        "cut_broker": Fault("RabbitMQ out of reach for 4 s", broker.cut_broker),
        "delete_queues": Fault("work queues deleted", broker.delete_queues, "broker"),
        "alarm_memory": Fault("RabbitMQ's memory alarm, 5 s", broker.alarm_memory, "broker"),
        "crash_database": Fault("PostgreSQL crashed (immediate shutdown)", database.crash_database, "database"),
        "cut_database": Fault("PostgreSQL out of reach for 5 s", database.cut_database, "database"),
        "fill_storage": Fault("disk full for 5 s (no file may grow)", storage.fill_storage, "storage"),
        "take_storage_away": Fault("storage folder away for 5 s", storage.take_storage_away, "storage"),
        "repeat_messages": Fault("messages repeated, three times at once", messages.repeat_messages, "broker"),
        "shuffle_messages": Fault("messages out of order", messages.shuffle_messages, "broker"),
        "garbage": Fault("garbage on every queue", garbage.strike, "broker"),
    }
