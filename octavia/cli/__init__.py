"""The command line: one group of commands a file."""

from typing import NoReturn


def main() -> NoReturn:
    """Entry of the ``octavia`` script."""
    from octavia.cli import app, console

    console.run(app.app)
