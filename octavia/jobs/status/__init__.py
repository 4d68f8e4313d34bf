"""Status of jobs and workers, read for clients, operators and the command line. May import ``tables`` only.

Begin with ``job_details``.
"""

__all__ = [
    "attempts",
    "backlog",
    "estimates",
    "job_details",
    "partial",
    "queues",
    "rounds",
    "story",
    "watching",
    "worker_states",
    "workers",
]
