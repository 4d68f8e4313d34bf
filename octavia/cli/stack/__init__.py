"""``octavia up | down``: the whole service on this machine, in the background.

``commands`` starts ``keeper``, a process that runs all others and writes the ``ServiceRecord`` by which ``down`` finds them.
"""

__all__ = ["commands"]
