"""The life of a job: submission, new runs, edits, changes of priority, deletion and expiry.

May import ``tables``, ``access``, ``protocol``. Begin with ``submit``.
"""

__all__ = ["edits", "priorities", "removal", "request_rules", "retention", "submit"]
