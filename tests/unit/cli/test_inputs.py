import io
import sys
from pathlib import Path

import pytest

from octavia.cli.inputs import read_input
from octavia.errors import InputError


def test_read_input_comes_from_an_option_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the same text in three places
    file = tmp_path / "speech.txt"
    file.write_text("\ufeffBuenos días.", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Buenos días.".encode())))

    # Then each gives it, the byte order mark left out
    assert read_input(None, "Buenos días.") == "Buenos días."
    assert read_input(file, None) == "Buenos días."
    assert read_input(Path("-"), None) == "Buenos días."


def test_read_input_of_a_recording_or_subtitles_is_its_path(tmp_path: Path) -> None:
    subtitles = b"1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n"
    late = b"a" * 20_000 + b"\xff"
    for name, data in (("null", b"ID3\0\0"), ("latin", "señor".encode("latin-1")), ("srt", subtitles), ("late", late)):
        (tmp_path / name).write_bytes(data)
        assert read_input(tmp_path / name, None) == tmp_path / name


@pytest.mark.parametrize(("file", "text"), [(None, None), (Path("a.txt"), "b")])
def test_read_input_needs_one_input_and_only_one(file: Path | None, text: str | None) -> None:
    with pytest.raises(InputError, match="one input"):
        read_input(file, text)
