"""The ``Prefer`` header (RFC 7240), as far as we know preferences: ``wait=N`` and ``respond-async``."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE | re.ASCII)
_RESPOND_ASYNC = re.compile(r'respond-async(\s*=\s*"")?', re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a client prefers.

    Parameters:
      wait: The whole seconds that it is willing to wait; None when it does not say.
      respond_async: It would rather have an answer that the job is under way than wait for its end; with ``wait`` too,
        once these seconds are over.
    """

    wait: int | None
    respond_async: bool

    def applied(self, *, waited: bool, ended: bool) -> dict[str, str]:
        """The header that says which of them were honoured.

        Parameters:
          waited: The job was given its seconds.
          ended: It has ended, so the answer says how.
        """
        names = ["respond-async"] if self.respond_async and not ended else []
        if waited:
            names.append(f"wait={self.wait}")
        return {"preference-applied": ", ".join(names)} if names else {}


def preferences(headers: Iterable[str], longest: float) -> Preferences:
    """What the headers of a request say; nobody waits longer than ``longest`` seconds.

    Of the same preference twice, the first counts; what cannot be understood is ignored, as the RFC wants.
    """
    named = list(_preferences(headers))
    waits = (found for name in named if (found := _WAIT.fullmatch(name)))
    wait = next((min(int(found[1]), int(longest)) for found in waits), None)
    return Preferences(wait, any(_RESPOND_ASYNC.fullmatch(name) for name in named))


def _preferences(headers: Iterable[str]) -> Iterator[str]:
    """Each preference without its parameters, of which neither of ours has any."""
    for header in headers:
        for preference in header.split(","):
            yield preference.partition(";")[0].strip()
