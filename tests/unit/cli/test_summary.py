import pytest

from octavia.cli.console import size
from octavia.cli.summary import clock


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (7.06, "0:07.1"), (59.96, "1:00.0"), (3723.4, "1:02:03.4")]
)
def test_times_read_like_a_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(999, "999 B"), (1_283_118, "1.3 MB"), (5e9, "5.0 GB"), (1000, "1.0 kB")])
def test_sizes_read_as_people_say_them(count: int, shown: str) -> None:
    assert size(count) == shown
