"""Damaged files of every format: each ends soon, in sound or in an error that we know, and hurts nobody.

``FUZZ_SEED`` chooses other damage; a failure says which file it was, and ``mutated`` makes it again.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from octavia.errors import InputError
from octavia.media.sandbox.parent import Sandbox
from tests.support.hostile import amr, mutated
from tests.support.media import recording, tone, wav

SEED = os.environ.get("FUZZ_SEED", "octavia")
MOST_SECONDS = 10
LONGEST = 120.0
CODES = {
    "empty_file",
    "not_media",
    "no_audio",
    "truncated_media",
    "media_too_long",
    "media_too_complex",
    "decoder_crashed",
}
FORMATS = {
    "wav": ("wav", {"audio": "pcm_s16le"}),
    "wav 24": ("wav", {"audio": "pcm_s24le", "layout": "5.1"}),
    "wav float": ("wav", {"audio": "pcm_f32le", "layout": "stereo"}),
    "wav adpcm": ("wav", {"audio": "adpcm_ms"}),
    "flac": ("flac", {"audio": "flac"}),
    "mp3": ("mp3", {"audio": "libmp3lame"}),
    "opus": ("ogg", {"audio": "libopus", "rate": 48_000}),
    "ogg flac": ("ogg", {"audio": "flac"}),
    "m4a": ("ipod", {"audio": "aac"}),
    "alac": ("ipod", {"audio": "alac"}),
    "mp4": ("mp4", {"audio": "aac", "video": "mpeg4"}),
    "mp4 fragments": ("mp4", {"audio": "aac", "options": {"movflags": "frag_keyframe+empty_moov"}, "video": "mpeg4"}),
    "mov": ("mov", {"audio": "pcm_s16le", "video": "mpeg4"}),
    "mkv": ("matroska", {"audio": "aac", "video": "mpeg4"}),
    "webm": ("webm", {"audio": "libopus", "rate": 48_000, "video": "libvpx"}),
    "avi": ("avi", {"audio": "libmp3lame", "video": "mpeg4"}),
    "aiff": ("aiff", {"audio": "pcm_s16be"}),
    "aac": ("adts", {"audio": "aac"}),
    "mpegts": ("mpegts", {"audio": "aac", "video": "mpeg4"}),
    "mpeg": ("mpeg", {"audio": "mp2"}),
    "asf": ("asf", {"audio": "aac", "video": "mpeg4"}),
    "flv": ("flv", {"audio": "aac", "rate": 44_100}),
    "caf": ("caf", {"audio": "pcm_s16le"}),
    "au": ("au", {"audio": "pcm_mulaw"}),
    "ac3": ("ac3", {"audio": "ac3", "rate": 48_000}),
    "tta": ("tta", {"audio": "tta"}),
    "wavpack": ("wv", {"audio": "wavpack"}),
}


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    """A second of sound in each format that can be written here, and in one that cannot; always the same bytes."""
    made = {}
    for name, (format, more) in FORMATS.items():
        options = {"fflags": "+bitexact", **more.get("options", {})}
        made[name] = recording(format, seconds=1, **{**more, "options": options})
    return {**made, "amr": amr(1)}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def fuzz(sandbox: Sandbox, samples: dict[str, bytes], folder: Path, count: int) -> dict[str, int]:
    """Read so many damaged files; returns how often each outcome came, sound as an empty code."""
    names = list(samples)
    sound = folder / "sound.wav"
    sound.write_bytes(wav(tone(1)))
    outcomes: dict[str, int] = {}
    for number in range(count):
        name, other = names[number % len(names)], names[(number * 7 + 3) % len(names)]
        seed = f"{SEED} {number}"
        path = folder / "damaged"
        path.write_bytes(mutated(samples[name], samples[other], seed))
        deaths, began = sandbox.deaths, time.monotonic()
        with capture_logs() as logs:
            code = outcome(sandbox, path)
        where = f"{name} with {other}, seed {seed!r}: {code}, {logs}"
        assert code in CODES | {""}, where
        assert time.monotonic() - began < MOST_SECONDS, where
        assert not [line for line in logs if line["event"] == "sandbox_broke"], where
        # Each death is counted once, and the next file is read as if nothing had been.
        assert [line["deaths"] for line in logs] == list(range(deaths + 1, sandbox.deaths + 1)), where
        if sandbox.deaths > deaths:
            assert sum(map(len, sandbox.decode(sound))) == 16_000, where
        outcomes[code] = outcomes.get(code, 0) + 1
    return outcomes


def outcome(sandbox: Sandbox, path: Path) -> str:
    code = ""
    for read in (lambda: sandbox.probe(path), lambda: list(sandbox.decode(path, longest=LONGEST))):
        try:
            read()
        except InputError as error:
            code = error.code
    return code


def test_whole_files_of_every_format_are_read(sandbox: Sandbox, samples: dict[str, bytes], tmp_path: Path) -> None:
    # Given the files before they are damaged, Then each has its second of sound
    for name, data in samples.items():
        path = tmp_path / "whole"
        path.write_bytes(data)
        assert sum(map(len, sandbox.decode(path))) == pytest.approx(16_000, abs=1_700), name
    assert sandbox.deaths == 0


def test_damaged_files(sandbox: Sandbox, samples: dict[str, bytes], tmp_path: Path) -> None:
    outcomes = fuzz(sandbox, samples, tmp_path, 200)
    print(outcomes)
    # Then the damage is such that some is heard over, and some is not
    assert outcomes[""] > 20
    assert sum(outcomes.values()) - outcomes[""] > 20


@pytest.mark.long
def test_many_damaged_files(sandbox: Sandbox, samples: dict[str, bytes], tmp_path: Path) -> None:
    began = time.monotonic()
    outcomes = fuzz(sandbox, samples, tmp_path, 2_000)
    print(f"seed {SEED!r}: {outcomes}, {sandbox.deaths} deaths, {time.monotonic() - began:.0f} s")
    assert len(outcomes) > 3
