"""``octavia up | down``: the whole service on this machine, in the background.

``commands`` starts the process ``keeper``, which runs all others and writes a ``ServiceRecord`` of them for ``down``.
Begin with ``commands``.
"""

__all__ = ["commands"]
