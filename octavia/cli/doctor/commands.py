"""``octavia doctor``: run the checks and print the findings."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table
from rich.text import Text

from octavia.cli import console
from octavia.cli.configuration import get_settings
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.errors import OctaviaError
from octavia.urls import without_logins

if TYPE_CHECKING:
    from octavia.settings import Settings

_COLOURS = {Verdict.GOOD: "green", Verdict.NOTE: "yellow", Verdict.BAD: "bold red"}


def doctor(json: console.Json = False) -> None:
    """Check everything that Octavia needs on this machine, and say how to fix problems."""
    from octavia.cli.doctor.checks import CHECKS

    findings = list(examine(get_settings(), CHECKS))
    if json:
        console.print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.verdict == Verdict.BAD for finding in findings):
        raise typer.Exit(console.FAILED)


def examine(settings: "Settings", checks: tuple[Callable[["Settings"], list[Finding]], ...]) -> Iterator[Finding]:
    """Run the checks; an exception in one becomes a finding, and the others still run."""
    for check in checks:
        subject = check.__name__.replace("_", " ")
        try:
            yield from check(settings)
        except OctaviaError as error:
            yield Finding(subject, Verdict.BAD, str(error), error.hint)
        except Exception as error:  # any fault of a check is worth reporting
            yield Finding(subject, Verdict.BAD, f"{type(error).__name__}: {without_logins(str(error))}")


def _show(findings: list[Finding]) -> None:
    columns = (Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold"))
    table = Table(*columns, box=None, pad_edge=False, show_header=False)
    for finding in findings:
        detail = Text(finding.detail)
        if finding.remedy:
            detail.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.verdict.value, style=_COLOURS[finding.verdict]), Text(finding.subject), detail)
    console.out().print(table)
