"""Pages for people in browsers: a shell that the server writes, and modules that it serves as they are.

The modules know the API, and nothing else of the service; there is no build step, and nothing comes from other hosts.
Begin with ``shell``, then with ``static/operator/main.js``.
"""

__all__ = ["assets", "shell"]
