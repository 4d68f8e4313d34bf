import io
import sys
from pathlib import Path

import pytest

from octavia.cli.inputs import read_input
from octavia.cli.local.order import Order
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


def test_read_input_of_a_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    # Given text files that are no recordings, whatever their bytes are
    for data in ("señor".encode("latin-1"), "señor".encode("utf-16"), b"a" * 40_000 + b"\xff"):
        (tmp_path / "a.txt").write_bytes(data)
        with pytest.raises(InputError, match="not UTF-8") as refused:
            read_input(tmp_path / "a.txt", None)
        assert (refused.value.code, "iconv" in refused.value.hint) == ("not_text", True)


def test_read_input_finds_times_far_behind_a_preface(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Credits.\n" * 4000 + "00:00:01,000 --> 00:00:02,000\nHello.\n")
    given = read_input(tmp_path / "a.txt", None)
    assert isinstance(given, str)
    assert Order.of("translate", given, source="en", target="es").format == "srt"


@pytest.mark.parametrize(("file", "text"), [(None, None), (Path("a.txt"), "b")])
def test_read_input_needs_one_input_and_only_one(file: Path | None, text: str | None) -> None:
    with pytest.raises(InputError, match="one input"):
        read_input(file, text)
