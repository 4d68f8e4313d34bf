from pathlib import Path

import pytest

from octavia import subtitles
from octavia.cli.local.extra_subtitles import ExtraSubtitles
from octavia.errors import InputError
from octavia.text.transcripts import Transcript
from octavia.text.utterances import Utterance
from octavia.text.words import Word

WORDS = (Word(0.0, 0.5, " Good", 1.0), Word(0.5, 1.5, " day.", 1.0))
SAID = (Utterance("0-0", 0, 0.0, 1.5, "Good day.", "Buenos días.", WORDS),)
TRANSCRIPT = Transcript(SAID, False, "en", 2.0)
TRANSLATION = Transcript(SAID, True, "es", 2.0)


def made(out: Path, **transcripts: Transcript) -> list[Path]:
    """What a job made: each of these in every format."""
    paths = []
    for name, transcript in transcripts.items():
        for format, text in subtitles.files(subtitles.FORMATS, transcript):
            paths.append(out / f"{name}.{format}")
            paths[-1].write_text(text)
    return paths


def test_what_is_asked_for_is_written_beside_what_there_is(tmp_path: Path) -> None:
    # Given a recording's results
    before = made(tmp_path, transcript=TRANSCRIPT, translation=TRANSLATION)
    # When everything else is asked for
    paths = ExtraSubtitles.chosen("ass, TTML,ass", bilingual=True, words=True).write(before, tmp_path)
    # Then it is there, and named once
    added = {f"{name}.{format}" for name in ("transcript", "translation", "bilingual") for format in ("ass", "ttml")}
    assert {path.name for path in paths} - {path.name for path in before} == added | {"bilingual.srt", "bilingual.vtt"}
    assert sorted(paths) == sorted(tmp_path.iterdir())
    assert "<c>Good</c> <00:00:00.500><c>day.</c>" in (tmp_path / "transcript.vtt").read_text()
    assert "Good day.\nBuenos días." in (tmp_path / "bilingual.srt").read_text()
    assert "Buenos días." in (tmp_path / "translation.ass").read_text()


def test_nothing_is_written_that_was_not_asked_for_or_cannot_be(tmp_path: Path) -> None:
    before = made(tmp_path, transcript=TRANSCRIPT)
    assert ExtraSubtitles().write(before, tmp_path) == before
    # Without a translation there are no two languages
    assert ExtraSubtitles(bilingual=True).write(before, tmp_path) == before


@pytest.mark.parametrize("formats", ["docx", "ass,srt", " , ", ""])
def test_a_format_that_there_is_not_is_refused(formats: str) -> None:
    with pytest.raises(InputError) as refused:
        ExtraSubtitles.chosen(formats)
    assert refused.value.code == "unsupported_format"
