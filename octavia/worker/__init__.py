"""Worker processes and the supervisor that keeps them: restarts, hard limits, webhooks, and periodic maintenance.

This room may use ``broker.py``, brokers, middleware, actors and jobs, and knows nothing of the API. Begin reading with
``supervisor``, then ``child``, which runs in each worker process. "How a worker dies" in docs/architecture.md draws it.
"""

__all__ = ["fork_server", "inline", "pipes", "processes", "scheduler", "signals", "starting", "supervisor"]
