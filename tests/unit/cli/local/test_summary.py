from io import StringIO
from typing import cast

from rich.console import Console

from octavia.cli.local.summary import _table_of_timing


def test_a_dub_is_said_to_keep_to_the_speaker() -> None:
    # Given what a job says of its dub
    dub = {"utterances": 40, "on_time": 0.975, "fitted": 0.95, "worst_lateness": 0.25, "mean_rate": 1.084} | {
        "mean_lateness": 0.01,
        "worst_rate": 1.5,
    }
    # When it is shown
    screen = Console(width=100, file=StringIO())
    screen.print(_table_of_timing(dub))
    # Then it is there, one thing in a line
    lines = [" ".join(line.split()) for line in cast(StringIO, screen.file).getvalue().splitlines()]
    assert lines == [
        "timing",
        "starts on time 98% of 40, at most 0.25 s late",
        "fits in its place 95%",
        "speed 1.08 on average, at most 1.50",
    ]
