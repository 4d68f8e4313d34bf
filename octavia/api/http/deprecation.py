"""Says on ``POST /jobs/{job_id}/process`` that clients must not count on its answer being the end of the job."""

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Final

from octavia.settings import Settings

SINCE: Final = date(2026, 11, 24)
"""When docs/migrating.md first told clients of the former, always blocking endpoint to move."""

_PAGE: Final = "/docs#/Jobs/process_job"


def headers(settings: Settings) -> dict[str, str]:
    """``Deprecation`` (RFC 9745), ``Sunset`` (RFC 8594) and where to read on, once the operator has set a date."""
    if not settings.sync_sunset:
        return {}
    sunset = _midnight(date.fromisoformat(settings.sync_sunset))
    # Nothing is deprecated after its end, whatever date an operator chooses.
    since = min(_midnight(SINCE), sunset)
    return {
        "deprecation": f"@{int(since.timestamp())}",
        "sunset": format_datetime(sunset, usegmt=True),
        "link": f'<{_PAGE}>; rel="deprecation"; type="text/html"',
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
