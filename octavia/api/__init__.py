"""The HTTP API. Jobs are stored, read and canceled through ``octavia.jobs``; workers do the work.

Imports run one way: ``context`` < ``http`` < ``schemas`` < ``submission`` < ``resources``, ``openai``, and
``http`` < ``live`` < ``resources``, ``openai``; ``resources`` and ``openai`` do not import each other, and ``assembly``
stands above all. Begin reading with the routes in ``octavia.web``, then ``resources.jobs`` and ``submission.receive``.
"""

__all__ = ["assembly", "authentication", "binding", "http", "live", "openai", "resources", "server"]
