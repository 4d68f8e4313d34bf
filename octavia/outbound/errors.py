"""The errors of URLs that clients name."""

from octavia.errors import InputError, TaskFailed


class UrlNotAllowed(InputError):
    """Octavia does not connect to this URL."""

    code = "url_not_allowed"


class UrlUnreachable(TaskFailed):
    """The server does not answer at present."""

    code = "url_unreachable"
