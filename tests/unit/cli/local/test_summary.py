import os
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from rich.console import Console

from octavia.cli.local.summary import SILENT, Line, ResultFile, Summary, _table_of_timing
from octavia.jobs.tables.records import JobRecord
from octavia.media.encode import Encoder


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


def summary(*warnings: str) -> Summary:
    told = [{"code": code, "message": f"About audio_track: {code}\x1b[2J."} for code in warnings]
    job = SimpleNamespace(warnings=told, dub=None, duration=None, source_language="en", target_language=None)
    path = Path(os.fsdecode(b"caf\xe9\x1b[2J.srt"))
    lines = (Line(0.0, 1.0, "\x1b[2JHello.", None),)
    return Summary(cast(JobRecord, job), (ResultFile(path, 7, None),), lines, {}, 1.0)


def shown(found: Summary) -> str:
    screen = Console(width=100, file=StringIO())
    found.show(screen)
    return cast(StringIO, screen.file).getvalue()


def test_silence_is_said_on_the_last_line() -> None:
    assert shown(summary("several_sounds", "no_speech")).splitlines()[-1] == SILENT
    assert SILENT not in shown(summary("several_sounds"))


def test_what_is_shown_steers_no_terminal_and_names_options() -> None:
    # Given a name, a line and a warning that would clear the screen
    text = shown(summary("several_sounds"))
    # Then all of it is written out
    assert "\x1b" not in text
    assert r"caf\xe9\x1b[2J.srt" in text
    assert r"\x1b[2JHello." in text
    # And a warning names the option, not the field
    assert r"note: About --track: several_sounds\x1b[2J." in text


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_the_length_of_a_sound_is_measured(format: str, tmp_path: Path) -> None:
    # Given a result with a second and a half of sound, in a format with a simple header or another one
    path = tmp_path / f"dub.{format}"
    with Encoder(path, format, 24_000) as encoder:
        encoder.write(np.zeros(36_000, np.float32))
    # When it is measured, then its seconds are those
    assert ResultFile.of(path) == ResultFile(path, path.stat().st_size, 1.5)
