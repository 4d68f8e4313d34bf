"""Counts and measurements of each process, and the ports that Prometheus reads them from.

This room knows nothing of jobs, queues, HTTP routes or settings; every other room may count in it. Begin reading with
``declared``, which has all metrics, then ``measures``, then ``figures`` and ``port``.
"""

__all__ = ["declared", "figures", "formats", "measures", "port", "process"]
