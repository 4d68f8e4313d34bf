"""``octavia doctor``: checks of everything that Octavia needs on this machine.

``checks`` lists all checks; those of RabbitMQ, the database and the media sandbox are beside it. Each returns its
``Finding``s. Begin with ``checks``.
"""

__all__ = ["commands"]
