"""Where the commands write: results to stdout, progress and errors to stderr; and how an error looks."""

import sys
from typing import Any, NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from octavia.errors import InputError, OctaviaError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done, the job or the check failed, bad usage, stopped by Ctrl-C."""


def out() -> Console:
    """A console on stdout, as it is now (tests replace it)."""
    return Console(highlight=False)


def err() -> Console:
    """A console on stderr, as it is now."""
    return Console(stderr=True, highlight=False)


def show_error(message: str, code: str, hint: str = "") -> None:
    """One line that says what is wrong, with its stable code, and one that says how to mend it."""
    console = err()
    console.print(f"[bold red]error:[/] {_plain(message)} ({code})", soft_wrap=True)
    if hint:
        console.print(f"[bold]hint:[/] {_plain(hint)}", soft_wrap=True)


def usage_error(message: str, code: str = "usage", hint: str = "") -> NoReturn:
    """Say what is wrong with the command line and leave with the code for it."""
    show_error(message, code, hint)
    raise typer.Exit(USAGE)


def exit_code_of(error: OctaviaError) -> int:
    """Bad input is bad usage; everything else went wrong while working."""
    return USAGE if isinstance(error, InputError) else FAILED


def run(app: Any) -> NoReturn:
    """Run the whole command line and exit: no error of ours, or of usage, ends in a traceback."""
    from typer.exceptions import TyperException

    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else ""
        if message := error.format_message():
            show_error(message.rstrip("."), "usage", hint)
        code = error.exit_code
    except typer.Abort:
        code = INTERRUPTED
    except OctaviaError as error:
        show_error(str(error), error.code, error.hint)
        code = exit_code_of(error)
    except (SettingsError, ValidationError) as error:
        show_error(_bad_setting(error), "invalid_setting", "docs/operations.md says what each setting takes.")
        code = USAGE
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; Python would complain once more while it exits.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
        code = FAILED
    sys.exit(code if isinstance(code, int) else DONE)


def _bad_setting(error: SettingsError | ValidationError) -> str:
    """Which variable of the environment has a value that it cannot have."""
    if isinstance(error, SettingsError):
        return str(error)
    first = error.errors(include_url=False, include_context=False)[0]
    name = "_".join(str(part) for part in first["loc"][:1]).upper()
    given = "wrong" if name.endswith("SECRET") else repr(first["input"])
    return f"OCTAVIA_{name} is {given}: {first['msg']}"


def size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _plain(text: str) -> str:
    """User text is not markup."""
    return text.replace("[", r"\[")
