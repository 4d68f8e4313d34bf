"""The HTTP API. Jobs are stored, read and canceled through ``octavia.jobs``; workers do the work.

Imports run one way: ``context`` < ``http`` < ``schemas`` < ``submission`` < ``resources``, ``openai``, ``operator``,
and ``http`` < ``live`` < these three, which do not import each other; ``assembly`` stands above all. Begin reading with
the routes in ``octavia.web``, then ``resources.jobs`` and ``submission.receive``.
"""

__all__ = [
    "assembly",
    "authentication",
    "binding",
    "http",
    "listening",
    "live",
    "openai",
    "operator",
    "pages",
    "resources",
    "server",
]
