"""Status of jobs and workers, read for clients, operators and the command line. May import ``tables`` only.

Begin with ``job_details``.
"""

__all__ = [
    "attempts",
    "backlog",
    "estimates",
    "figures",
    "job_details",
    "partial",
    "preview",
    "queues",
    "rounds",
    "story",
    "watching",
    "worker_states",
    "workers",
]
