"""The operator's API, ``/api/v1/operator/…``: the jobs of all owners, workers, queues, and actions on them.

A resource a file; the models of the answers are in ``schemas``. Knows ``submission`` and ``live``, but nothing of
``resources`` and ``openai``. Reading needs the scope ``operate``, changing anything ``operate:write``. Begin with
``jobs``.
"""

__all__ = [
    "actions",
    "broker_figures",
    "dead_letters",
    "events",
    "filter_words",
    "jobs",
    "overview",
    "pauses",
    "queues",
    "statistics",
    "upkeep",
    "workers",
]
