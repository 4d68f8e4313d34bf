from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from pydantic import ValidationError

from octavia.api.http import deprecation
from octavia.settings import Settings


def test_nothing_is_said_before_there_is_a_date() -> None:
    assert deprecation.headers(Settings(sync_sunset="")) == {}


@pytest.mark.parametrize("day", ["2027-06-30", "20270630"])
def test_a_date_is_told_as_both_rfcs_have_it(day: str) -> None:
    # Given a date until which old clients are served
    told = deprecation.headers(Settings(sync_sunset=day))
    # Then its first moment is the sunset, and the deprecation lies before
    assert told["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    since = datetime.fromtimestamp(int(told["deprecation"].removeprefix("@")), UTC)
    assert since.date() == deprecation.SINCE
    assert 'rel="deprecation"' in told["link"]


def test_a_sunset_in_the_past_is_no_earlier_than_the_deprecation() -> None:
    told = deprecation.headers(Settings(sync_sunset="2020-01-01"))
    assert told["deprecation"] == f"@{int(parsedate_to_datetime(told['sunset']).timestamp())}"


@pytest.mark.parametrize("value", ["soon", "2027-13-01", "2027-06-30T12:00:00"])
def test_a_date_that_is_none_is_refused_when_the_service_starts(value: str) -> None:
    with pytest.raises(ValidationError, match="sync_sunset"):
        Settings(sync_sunset=value)
