"""The ``Prefer`` header (RFC 7240), as far as we know preferences: ``wait=N``."""

import re
from collections.abc import Iterable

_WAIT = re.compile(r'\s*wait\s*=\s*"?(\d{1,9})"?\s*(;.*)?', re.IGNORECASE | re.ASCII)


def wait_seconds(headers: Iterable[str], longest: float) -> int | None:
    """The whole seconds that the client is willing to wait, at most ``longest``; None when it does not say.

    Of several, the first counts; what cannot be understood is ignored, as the RFC wants.
    """
    for header in headers:
        for preference in header.split(","):
            if found := _WAIT.fullmatch(preference):
                return min(int(found[1]), int(longest))
    return None
