import pytest

from octavia.cli import console


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
