"""``octavia doctor``: checks of everything that Octavia needs on this machine.

``checks`` lists all checks, those of RabbitMQ are in ``broker_checks``, and each returns a ``Finding``. Begin with ``checks``.
"""

__all__ = ["commands"]
