"""Command lines of ``octavia``, checked without running them."""

from collections.abc import Sequence
from typing import Any

import typer

from octavia.cli.app import app


def check_command(words: Sequence[str]) -> None:
    """Parse the words after ``octavia``; an ``Exception`` of the parser, or ``KeyError``, if it would not take them."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    command.make_context(command.name, rest)
