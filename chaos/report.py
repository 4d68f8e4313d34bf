"""What a run has shown, for the eye and for docs/reliability.md."""

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
    """One run.

    Attributes:
      titles: Of the kinds of fault, by name.
      completed: How many of the jobs were.
      files: How many result files were compared.
      counts: What was counted, by what it is.
      misses: All that is not as it must be; none: it has held.
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


def told(blow: Blow, title: str) -> str:
    """One line about a blow, when it has struck and when it is over."""
    line = f"{blow.at:6.1f} s  {title}: {blow.target}" if blow.target else f"{blow.at:6.1f} s  {title}"
    if blow.error:
        return f"{line}  FAILED: {blow.error}"
    if not blow.over.is_set():
        return line
    return f"{line}  {'NOT HEALED' if blow.healed is None else f'healed after {blow.healed:.1f} s'}"


def rows(outcome: Outcome) -> list[tuple[str, int, str, str]]:
    """A row for each kind: its title, how often it struck, and the median and longest seconds of healing."""
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
    """What is told besides the table."""
    counted = ", ".join(f"{name} {count}" for name, count in outcome.counts.items())
    return [
        f"{outcome.completed} of {outcome.jobs} jobs completed under {len(outcome.blows)} faults "
        f"in {outcome.seconds:.0f} s; seed {outcome.seed}.",
        f"{outcome.files} files compared with those of a calm run, byte by byte.",
        f"Counted: {counted}.",
        f"{len(outcome.misses)} misses." if outcome.misses else "Nothing is missing, doubled, different or left over.",
    ]


def markdown(outcome: Outcome) -> str:
    """The same for the page."""
    lines = ["| Fault | Times | Median seconds | Longest |", "|---|---|---|---|"]
    lines += [f"| {title} | {times} | {middle} | {longest} |" for title, times, middle, longest in rows(outcome)]
    told = f"{outcome.day:%Y-%m-%d}, `{outcome.command}`: {' '.join(summary(outcome))}"
    return "\n".join([*lines, "", *textwrap.wrap(told, _COLUMNS, break_long_words=False, break_on_hyphens=False)])


def page(text: str, outcome: Outcome, *, alone: bool = False) -> str:
    """The page with this run's result in it, in the place for storms or in that for faults which came alone.

    Raises:
      ValueError: The marks around its place are not in it.
    """
    begin, end = ALONE if alone else STORM
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the lines {begin!r} and {end!r}")
    return f"{before}{begin}\n{markdown(outcome)}\n{end}{after}"
