"""``octavia doctor``: look at each thing that Octavia needs, and say how to mend what is not right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from octavia.cli import console
from octavia.settings import Settings, get_settings


class Verdict(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    NOTE = "note"
    BAD = "bad"


_COLOURS = {Verdict.GOOD: "green", Verdict.NOTE: "yellow", Verdict.BAD: "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``remedy`` when there is something to do."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check everything that Octavia needs on this machine, and say how to mend what is missing."""
    from octavia.cli.doctor.checks import CHECKS

    findings = list(examine(get_settings(), CHECKS))
    if json:
        console.out().print_json(data=[_as_json(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.verdict == Verdict.BAD for finding in findings):
        raise typer.Exit(console.FAILED)


def examine(settings: Settings, checks: tuple[Callable[[Settings], list[Finding]], ...]) -> Iterator[Finding]:
    """Run the checks; one that breaks is a finding, not the end of the others."""
    from octavia.errors import OctaviaError

    for check in checks:
        subject = check.__name__.replace("_", " ")
        try:
            yield from check(settings)
        except OctaviaError as error:
            yield Finding(subject, Verdict.BAD, str(error), error.hint)
        except Exception as error:  # the doctor must not fall ill itself
            yield Finding(subject, Verdict.BAD, f"{type(error).__name__}: {error}")


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "subject": finding.subject,
        "verdict": finding.verdict.value,
        "detail": finding.detail,
        "remedy": finding.remedy,
    }


def _show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        detail = Text(finding.detail)
        if finding.remedy:
            detail.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.verdict.value, style=_COLOURS[finding.verdict]), Text(finding.subject), detail)
    console.out().print(table)
