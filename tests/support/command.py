"""Octavia's command line, run in the test's own process."""

import sys
from collections.abc import Callable

import pytest

from octavia.cli import console
from octavia.cli.app import app

Run = Callable[..., str]
"""Runs a command with the arguments that it gets and sees that it ends with ``code``; returns all that it said."""


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *command: str) -> Run:
    """What runs ``octavia`` with these words before all others."""

    def run(*arguments: str, code: int = console.DONE) -> str:
        monkeypatch.setattr(sys, "argv", ["octavia", *command, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            console.run(app)
        said = capsys.readouterr()
        assert left.value.code == code, said.err
        return said.out + said.err

    return run
