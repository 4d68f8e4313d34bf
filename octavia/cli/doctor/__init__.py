"""``octavia doctor``: checks of everything that Octavia needs on this machine.

``checks`` lists all checks, those of RabbitMQ are in ``broker_checks``; each returns its ``Finding``s. Begin with
``checks``.
"""

__all__ = ["commands"]
