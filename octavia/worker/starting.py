"""Waits for services at the start of a process, and refuses settings with which waiting is no use."""

import re
from collections.abc import Callable
from typing import Final

import structlog

from octavia import service_manager
from octavia.backoff import Backoff
from octavia.errors import Unavailable

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 15.0

# The words of PostgreSQL, PgBouncer, RabbitMQ, OpenSSL and SQLite for what no time will mend. PostgreSQL's refusals at
# the start of a connection have no code. Words in another language are not known: then the log repeats them.
_WRONG: Final = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|role .{0,200} does not exist|no such user"
    r"|not permitted to log in|database .{0,200} does not exist|no such database|permission denied for database"
    r"|unsupported startup parameter|statement pooling mode|invalid connection option"
    r"|ACCESS_REFUSED|NOT_ALLOWED|authentication mechanism"
    r"|certificate verify failed|CERTIFICATE_VERIFY_FAILED|does not match host name|[Hh]ostname mismatch"
    r"|does not support SSL|root certificate file .{0,4096} does not exist|WRONG_VERSION_NUMBER"
    r"|unable to open database file"
)

logger = structlog.get_logger()


def until_available(name: str, call: Callable[[], object], wait: Callable[[float], object]) -> bool:
    """Call until the services that it needs answer; return False if told to stop before.

    Parameters:
      name: The name of the process in the log.
      wait: Waits for so many seconds; returns true as soon as the process should stop.

    Raises:
      Unavailable: It will not pass by itself: wrong credentials or names, missing tables, an unusable folder.
    """
    pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
    while True:
        try:
            call()
        except Unavailable as error:
            if lasts(error):
                raise
            pause = pauses.next()
            service_manager.waiting(f"Waiting: {error}", pause)
            logger.warning(f"{name}_waiting", reason=error.code, detail=str(error), hint=error.hint, again_in=pause)
        else:
            return True
        if wait(pause):
            return False


def refuse_wrong_settings(name: str, call: Callable[[], object]) -> None:
    """Call once, for a service that the process can wait for while it runs.

    Raises ``Unavailable`` as ``until_available``; a service that is away is only logged.
    """
    try:
        call()
    except Unavailable as error:
        if lasts(error):
            raise
        logger.warning(f"{name}_away", reason=error.code, detail=str(error), hint=error.hint)


def lasts(error: Unavailable) -> bool:
    """Return whether this will last until somebody changes the settings or the service."""
    # Without words of a driver it is a finding of our own about this machine, such as a folder that cannot be created.
    return not error.reason or bool(_WRONG.search(error.reason))
