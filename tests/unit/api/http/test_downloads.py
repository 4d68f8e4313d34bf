"""Names under which results are saved."""

from types import SimpleNamespace
from typing import cast

import pytest

from octavia.api.http.downloads import name_for
from octavia.jobs.tables.records import JobRecord


def job(filename: str) -> JobRecord:
    return cast(JobRecord, SimpleNamespace(input={"filename": filename}, result_language="es"))


@pytest.mark.parametrize(
    ("result", "ending"),
    [("video.mp4", ".es.mp4"), ("transcript.srt", ".transcript.srt"), ("zip", ".zip"), ("dub.wav", ".dub.wav")],
)
@pytest.mark.parametrize("filename", ["a" * 250 + ".mp4", "語" * 190 + ".mp4", "語" * 250])
def test_a_long_name_is_cut_before_its_ending(filename: str, result: str, ending: str) -> None:
    # When a result of a recording with a long name is saved
    name = name_for(job(filename), result)
    # Then every file system takes its name, and it says what it is
    assert 240 < len(name.encode()) <= 255
    assert name.endswith(ending)


def test_a_short_name_is_kept() -> None:
    assert name_for(job("talk.mp4"), "video.mp4") == "talk.es.mp4"
    assert name_for(job("talk.mp4"), "transcript.srt") == "talk.transcript.srt"
    assert name_for(job("con.mp4"), "zip") == "_con.zip"
