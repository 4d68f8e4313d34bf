"""Cursors of lists that are read in pages, newest first: the id of a page's last row, in text that is not for people.

Ids are UUIDv7, so they sort by the time at which their rows were made.
"""

import base64
from uuid import UUID

from octavia.errors import InputError


def write_cursor(last: UUID) -> str:
    """Return the cursor of the page that follows the row with this id."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def read_cursor(cursor: str) -> UUID:
    """Return the id of the last row of the page before. Raises ``InputError`` (``invalid_cursor``)."""
    try:
        return UUID(bytes=base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except ValueError:
        raise InputError(
            "This cursor does not come from a page of this list.",
            code="invalid_cursor",
            hint="Send next_cursor of the previous page unchanged, or no cursor for the first page.",
            field="cursor",
        ) from None
