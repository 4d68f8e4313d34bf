"""Output of the commands: results on stdout, progress and errors on stderr, and the form of an error."""

import os
import re
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from octavia.cli.printable import accept_all_text, in_a_line, json_text, printable
from octavia.errors import InputError, OctaviaError
from octavia.jobs.tables.states import Stage
from octavia.urls import without_logins

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done, the job or the check failed, bad usage, stopped by Ctrl-C."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
"""The ``--json`` option."""

STAGE_LABELS = {
    Stage.PREPARE: "Preparing",
    Stage.DETECT: "Hearing the language",
    Stage.TRANSCRIBE: "Transcribing",
    Stage.TRANSLATE: "Translating",
    Stage.SYNTHESIZE: "Speaking",
    Stage.ASSEMBLE: "Joining",
}
"""The name of each stage in progress bars and tables."""

_OPTIONS = {
    "source_language": "--from",
    "target_language": "--to",
    "revoice=true": "--revoice",
    "background_level": "--background-level",
    "audio_track": "--track",
    "audio_tracks": "--replace-audio",
    "beam_size": "--beam-size",
    "max_line_length": "--max-line-length",
    "input_url": "--input-url",
}
"""The options that set the fields of a request; error messages of the API and of the workers name the fields."""
_FIELD = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")


def out() -> Console:
    """A console on the current stdout, which tests replace."""
    return Console(highlight=False)


def err() -> Console:
    """A console on the current stderr."""
    return Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print a line of plain text on stdout, without markup and without wrapping it."""
    out().print(printable(text), soft_wrap=True, markup=False)


def print_json(value: Any) -> None:
    """Print a value on stdout as indented JSON."""
    typer.echo(json_text(value))


class _PlainTable(Table):
    """A table whose cells are plain text in one line, whoever wrote them."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of texts."""
        super().add_row(*(Text(in_a_line(cell)) for cell in cells), **options)


def table(*headings: str) -> Table:
    """A table without borders, whose cells are plain text and stay on one line."""
    return _PlainTable(*(Column(heading, no_wrap=True) for heading in headings), box=None, pad_edge=False)


def print_table(table: Table) -> None:
    """Print a table on stdout; in a pipe it is wide enough for ``grep`` to find whole cells."""
    screen = out()
    if not screen.is_terminal:
        screen.width = 200
    screen.print(table, markup=False)


def clock(seconds: float) -> str:
    """Format seconds as minutes and seconds, such as 1:02:03.4 or 2:03.4."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"


def show_error(message: str, code: str, hint: str = "") -> None:
    """Print an error with its stable code and, on a second line, how to mend it; fields are named by their options."""
    lines = [("error: ", "bold red", f"{without_logins(message)} ({code})")]
    lines += [("hint: ", "bold", hint)] if hint else []
    for label, style, text in lines:
        err().print(Text.assemble((label, style), in_a_line(with_options(text))), soft_wrap=True)


def with_options(text: str) -> str:
    """Name the fields of a request by the options that set them."""
    return _FIELD.sub(lambda field: _OPTIONS[field[0]], text)


def usage_error(message: str, code: str = "usage", hint: str = "") -> NoReturn:
    """Print an error in the command line and leave with the exit code for bad usage."""
    show_error(message, code, hint)
    raise typer.Exit(USAGE)


def exit_code_of(error: OctaviaError) -> int:
    """The exit code for an error: bad usage for bad input, failure for everything else."""
    return USAGE if isinstance(error, InputError) else FAILED


def run(app: Any) -> NoReturn:
    """Run the whole command line and exit; expected errors are printed without a traceback."""
    from typer.exceptions import TyperException

    accept_all_text()
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        hint = _hint_for_dash() or (f"{context.command_path} --help" if context else "")
        if message := error.format_message():
            show_error(message.rstrip("."), "usage", hint)
        code = error.exit_code
    except typer.Abort:
        code = INTERRUPTED
    except OctaviaError as error:
        show_error(str(error), error.code, error.hint)
        code = exit_code_of(error)
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; Python would complain once more while it exits.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
        code = FAILED
    except Exception as error:
        code = _show_fault(error)
    sys.exit(code if isinstance(code, int) else DONE)


def _show_fault(error: Exception) -> int:
    """Print what is wrong with the settings, or a fault of ours with its traceback; return the exit code."""
    # Imported only now: no command that goes well waits for it here.
    from pydantic import ValidationError

    from octavia.settings import complaints

    if isinstance(error, ValidationError):
        *others, last = complaints(error)
        for other in others:
            show_error(other, "invalid_setting")
        show_error(last, "invalid_setting", "docs/operations.md describes each setting.")
        return USAGE
    # Without the logins of URLs that it may name.
    sys.stderr.write(without_logins("".join(traceback.format_exception(error))))
    return FAILED


def _hint_for_dash() -> str:
    """Tell how to name a file that the command line takes for options."""
    for given in sys.argv[1:]:
        if given == "--":
            break
        if given.startswith("-") and os.path.lexists(given):
            return f"For the file {given}, write ./{given}, or put -- before it."
    return ""
