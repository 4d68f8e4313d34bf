import sys
from pathlib import Path

import pytest

from octavia.cli import console, main


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (7.06, "0:07.1"), (59.96, "1:00.0"), (3723.4, "1:02:03.4")]
)
def test_clock_shows_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert console.clock(seconds) == shown


def test_show_error_names_options_instead_of_fields(capsys: pytest.CaptureFixture[str]) -> None:
    # When an error of the API or of a worker names fields of a request
    console.show_error(
        "There is no target_language in my_target_language.txt.", "missing_field", "Set it, or dub with revoice=true."
    )
    # Then the command line names its options, and changes nothing else
    assert capsys.readouterr().err.splitlines() == [
        "error: There is no --to in my_target_language.txt. (missing_field)",
        "hint: Set it, or dub with --revoice.",
    ]


@pytest.mark.parametrize("text", ["[bold]loud[/bold]", "octavia[s3]", "C:\\", "[/]"])
def test_show_error_takes_no_text_for_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(text, "some_code", text)
    assert capsys.readouterr().err.splitlines() == [f"error: {text} (some_code)", f"hint: {text}"]


def test_show_error_writes_out_what_would_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    # Given the name of a file that would clear the screen and add a line
    console.show_error("There is no file a\x1b[2J\nhint: b.", "file_not_found")
    # Then it is one line, and harmless
    assert capsys.readouterr().err == "error: There is no file a\\x1b[2J\\nhint: b. (file_not_found)\n"


@pytest.mark.parametrize(
    "arguments", [["transcribe", "-talk.wav"], ["dub", "-out.wav", "--to", "es"], ["jobs", "submit", "-talk.wav"]]
)
def test_a_name_that_begins_with_a_dash_is_explained(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a recording whose name looks like options
    name = next(given for given in arguments if given.startswith("-") and given.endswith(".wav"))
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["octavia", *arguments])
    # When it is named as it is
    with pytest.raises(SystemExit) as left:
        main()
    # Then the error says how to name it
    assert left.value.code == console.USAGE
    assert f"hint: For the file {name}, write ./{name}, or put -- before it." in capsys.readouterr().err


def test_cells_of_a_table_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    # Given a table with names by strangers, in which are escapes, line ends and markup
    table = console.table("name", "reason")
    table.add_row("a\x1b[2Jb\x9bc.wav", "[red]d\ne\u202ef[/red]")
    # When it is printed, Then they are written out
    console.print_table(table)
    _, row = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert row.split() == ["a\\x1b[2Jb\\x9bc.wav", "[red]d\\ne\\u202ef[/red]"]
