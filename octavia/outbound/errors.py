"""What goes wrong with addresses that clients name."""

from octavia.errors import InputError, TaskFailed


class UrlNotAllowed(InputError):
    """The address is none that Octavia goes to."""

    code = "url_not_allowed"


class UrlUnreachable(TaskFailed):
    """Nobody answers there for now."""

    code = "url_unreachable"
