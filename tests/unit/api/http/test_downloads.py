"""Names under which results are saved."""

from types import SimpleNamespace
from typing import cast

import pytest

from octavia.api.http.downloads import name_for
from octavia.files import is_plain
from octavia.jobs.tables.records import JobRecord
from octavia.text.filenames import names_for
from tests.support.names import DEVICES, NAMES


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


@pytest.mark.parametrize("filename", [*NAMES, *DEVICES])
def test_a_result_of_a_recording_of_any_name_is_offered_under_a_plain_one(filename: str) -> None:
    # Given a recording under a name that is a trick, as it is kept, or as an older release kept it
    for ending in ("", ".mp4", " .mp4", ".", ". "):
        for given in (names_for(filename + ending)[0], filename + ending):
            # When results are saved
            for result in ("video.mp4", "transcript.srt", "zip", "partial.translate.0003.x.json"):
                name = name_for(job(given), result)
                # Then each name means one file on every system, and says what it is
                assert is_plain(name)
                assert name.endswith(result.replace("video", "es"))


def test_only_what_could_harm_is_replaced_in_a_name() -> None:
    assert name_for(job("What is it: a talk?.mp4"), "zip") == "What is it_ a talk_.zip"
    assert name_for(job("会議：第１回.mp4"), "zip") == "会議：第１回.zip"
    assert name_for(job("aux:stream.wav"), "zip") == "aux_stream.zip"
    assert name_for(job("COM¹ .wav"), "zip") == "_COM¹ .zip"
    assert name_for(job("console.mp4"), "zip") == "console.zip"
