"""Deprecation headers of ``POST /jobs/{job_id}/process``, which no longer waits for the job's end by default."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Final

from octavia.settings import Settings

SINCE: Final = date(2026, 11, 24)
"""The date when docs/migrating.md first asked clients of the former, always blocking endpoint to move."""

_PAGE: Final = "/docs#/Jobs/process_job"


def headers(settings: Settings, root: str = "") -> dict[str, str]:
    """Return ``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and a link; empty until the operator has set a date.

    Parameters:
      root: The path under which a proxy serves the API.
    """
    if not settings.sync_sunset:
        return {}
    sunset = _midnight(date.fromisoformat(settings.sync_sunset))
    # An endpoint cannot be deprecated after its sunset, which the operator may set in the past.
    since = min(_midnight(SINCE), sunset)
    return {
        "deprecation": f"@{int(since.timestamp())}",
        "sunset": format_datetime(sunset, usegmt=True),
        "link": f'<{root}{_PAGE}>; rel="deprecation"; type="text/html"',
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
