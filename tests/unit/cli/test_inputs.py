import io
import sys
from pathlib import Path

import pytest

from octavia.cli.inputs import text_input
from octavia.errors import InputError


def test_text_input_comes_from_an_option_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the same text in three places
    file = tmp_path / "speech.txt"
    file.write_text("\ufeffBuenos días.", encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Buenos días.".encode())))

    # Then each gives it, the byte order mark left out
    assert text_input(None, "Buenos días.") == "Buenos días."
    assert text_input(file, None) == "Buenos días."
    assert text_input(Path("-"), None) == "Buenos días."


def test_text_input_of_a_recording_is_none(tmp_path: Path) -> None:
    for name, data in (("null", b"ID3\0\0"), ("latin", "señor".encode("latin-1"))):
        (tmp_path / name).write_bytes(data)
        assert text_input(tmp_path / name, None) is None


@pytest.mark.parametrize(("file", "text"), [(None, None), (Path("a.txt"), "b")])
def test_text_input_needs_one_input_and_only_one(file: Path | None, text: str | None) -> None:
    with pytest.raises(InputError, match="one input"):
        text_input(file, text)
