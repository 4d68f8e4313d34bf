from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from pydantic import ValidationError

from octavia.api.http import deprecation
from octavia.settings import Settings


def test_there_are_no_headers_before_a_date_is_set() -> None:
    assert deprecation.headers(Settings(sync_sunset="")) == {}


@pytest.mark.parametrize("day", ["2027-06-30", "20270630"])
def test_headers_have_the_formats_of_both_rfcs(day: str) -> None:
    # Given a date until which old clients are served
    told = deprecation.headers(Settings(sync_sunset=day))
    # Then its first moment is the sunset, and the deprecation lies before
    assert told["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    since = datetime.fromtimestamp(int(told["deprecation"].removeprefix("@")), UTC)
    assert since.date() == deprecation.SINCE
    assert 'rel="deprecation"' in told["link"]


def test_a_sunset_is_never_before_the_deprecation() -> None:
    told = deprecation.headers(Settings(sync_sunset="2020-01-01"), "/octavia")
    assert told["link"].startswith("</octavia/docs#")
    assert told["deprecation"] == f"@{int(parsedate_to_datetime(told['sunset']).timestamp())}"


@pytest.mark.parametrize("value", ["soon", "2027-13-01", "2027-06-30T12:00:00"])
def test_an_invalid_date_is_refused_at_the_start(value: str) -> None:
    with pytest.raises(ValidationError, match="sync_sunset"):
        Settings(sync_sunset=value)
