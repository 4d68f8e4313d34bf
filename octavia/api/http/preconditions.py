"""``If-Match``: a change that is made only to what its client has seen (RFC 9110)."""

import re
from typing import Final

from starlette.datastructures import Headers

from octavia.errors import InputError

HEADER: Final = "If-Match"

_TAG: Final = re.compile(r'"?(\d{1,9}(?:\.\d{1,9})?)"?', re.ASCII)


class PreconditionRequired(InputError):
    """The request does not say what it was made for."""

    code = "precondition_required"


def etag_of(version: str) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def version_of(headers: Headers) -> str | None:
    """The version that a request names; None: whichever is there (``*``).

    Raises:
      PreconditionRequired: It names none.
      InputError: ``invalid_field``: it names something else.
    """
    given = headers.get(HEADER)
    if given is None:
        raise PreconditionRequired(
            f"The request has no {HEADER}.",
            hint="Send the ETag with which the utterances came, so that nobody's work is undone unseen.",
            field=HEADER,
        )
    found = _TAG.fullmatch(given.strip())
    if found is None and given.strip() != "*":
        raise InputError(
            f"The {HEADER} {given[:100]!r} is no ETag of utterances.",
            code="invalid_field",
            hint='Send the one with which they came, such as "1".',
            field=HEADER,
        )
    return found[1] if found else None
