"""The report of a run, for the terminal and for docs/reliability.md."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from chaos.storm import Blow

PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
STORM = ("<!-- storm: written by `make chaos CHAOS_RECORD=1` -->", "<!-- end of storm -->")
ALONE = ("<!-- alone: written by `make chaos CHAOS_ALONE=1 CHAOS_RECORD=1` -->", "<!-- end of alone -->")
_COLUMNS = 120  # of a line on the page


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one run.

    Attributes:
      titles: Titles of the kinds of fault, by name.
      completed: Number of jobs that were completed.
      files: Number of result files that were compared.
      counts: Other numbers, by name.
      misses: Everything that is not as it must be.
    """

    day: date
    command: str
    seed: int
    seconds: float
    titles: Mapping[str, str]
    blows: Sequence[Blow]
    jobs: int
    completed: int
    files: int
    counts: Mapping[str, int]
    misses: Sequence[str]


def line(blow: Blow, title: str) -> str:
    """One line about a blow, when it has struck and when it is over."""
    said = f"{blow.at:6.1f} s  {title}: {blow.target}" if blow.target else f"{blow.at:6.1f} s  {title}"
    if blow.error:
        return f"{said}  FAILED: {blow.error}"
    if not blow.over.is_set():
        return said
    return f"{said}  {'NOT HEALED' if blow.healed is None else f'healed after {blow.healed:.1f} s'}"


def rows(outcome: Outcome) -> list[tuple[str, int, str, str]]:
    """A row for each kind: title, number of times it struck, and median and longest seconds of healing."""
    made = []
    for kind, title in outcome.titles.items():
        of_kind = [blow for blow in outcome.blows if blow.kind == kind]
        healed = [blow.healed for blow in of_kind if blow.healed is not None]
        times = (f"{median(healed):.1f}", f"{max(healed):.1f}") if healed else ("–", "–")
        made.append((title, len(of_kind), *times))
    return made


def text(outcome: Outcome) -> str:
    """The report at the end of a run."""
    lines = [f"{'fault':<58} {'times':>5} {'median s':>9} {'longest s':>10}"]
    lines += [f"{title:<58} {times:>5} {middle:>9} {longest:>10}" for title, times, middle, longest in rows(outcome)]
    lines += ["", *summary(outcome)]
    lines += [f"  MISS: {miss}" for miss in outcome.misses]
    return "\n".join(lines)


def summary(outcome: Outcome) -> list[str]:
    """The sentences below the table."""
    counted = ", ".join(f"{name} {count}" for name, count in outcome.counts.items())
    return [
        f"{outcome.completed} of {outcome.jobs} jobs completed under {len(outcome.blows)} faults "
        f"in {outcome.seconds:.0f} s; seed {outcome.seed}.",
        f"{outcome.files} files compared with those of a calm run, byte by byte.",
        f"Counted: {counted}.",
        f"{len(outcome.misses)} misses." if outcome.misses else "Nothing is missing, doubled, different or left over.",
    ]


def markdown(outcome: Outcome) -> str:
    """The table and the sentences in Markdown."""
    lines = ["| Fault | Times | Median seconds | Longest |", "|---|---|---|---|"]
    lines += [f"| {title} | {times} | {middle} | {longest} |" for title, times, middle, longest in rows(outcome)]
    told = f"{outcome.day:%Y-%m-%d}, `{outcome.command}`: {' '.join(summary(outcome))}"
    return "\n".join([*lines, "", *textwrap.wrap(told, _COLUMNS, break_long_words=False, break_on_hyphens=False)])


def page(text: str, outcome: Outcome, *, alone: bool = False) -> str:
    """The text of the page with this outcome in its place.

    Parameters:
      alone: Use the place for faults that came alone, not that for storms.

    Raises:
      ValueError: The page lacks the marks around that place.
    """
    begin, end = ALONE if alone else STORM
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the lines {begin!r} and {end!r}")
    return f"{before}{begin}\n{markdown(outcome)}\n{end}{after}"
