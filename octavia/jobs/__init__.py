"""Jobs: their tables, and everything that reads or changes them. No HTTP, no engines, no queues but by name.

Begin with ``protocol``: how tasks are claimed and completed. Its parts may import only those to their left:
``tables`` < ``access`` < ``protocol`` < ``lifecycle`` < ``operations``; and ``status`` only ``tables``.
"""

__all__ = ["access", "lifecycle", "operations", "protocol", "status", "tables"]
