"""The life of a job: submission, new runs, edits, deletion and expiry. May import ``tables``, ``access``, ``protocol``.

Begin with ``submit``.
"""

__all__ = ["edits", "removal", "request_rules", "retention", "submit"]
