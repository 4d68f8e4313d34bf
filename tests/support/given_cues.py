"""Subtitle files of the fixtures, read as a job reads them."""

from pathlib import Path
from typing import Final

from octavia.text.cue_files import HEAD, CueFormat, GivenCues, read, recognised

FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "subtitles"


def fixture(name: str) -> GivenCues:
    """Recognise a fixture by its contents and name, and read it."""
    return given((FIXTURES / name).read_bytes(), name=name)


def given(
    data: bytes | str, format: CueFormat | None = None, *, name: str | None = None, language: str | None = None
) -> GivenCues:
    """Read a file; without ``format`` it must be recognised."""
    data = data.encode() if isinstance(data, str) else data
    format = format or recognised(data[:HEAD], name)
    assert format is not None
    return read(data, format, longest_seconds=36_000, most_chars=100_000, language=language)


def timed(found: GivenCues) -> list[tuple[float, float, str]]:
    """Return times and text of each cue."""
    return [(cue.start, cue.end, cue.text) for cue in found.cues]


def codes(found: GivenCues) -> list[str]:
    """Return the codes of the warnings."""
    return [warning["code"] for warning in found.warnings]
