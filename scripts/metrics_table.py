"""Write the table of metrics in docs/monitoring.md: ``python scripts/metrics_table.py``."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Gauge

from octavia.metrics import declared, measures

PAGE = Path(__file__).parent.parent / "docs" / "monitoring.md"
BEGIN, END = "<!-- metrics: written by `make docs` -->", "<!-- end of metrics -->"


def table() -> str:
    """Build a table with one row per metric: its name and labels, type and description."""
    rows = ["| Metric | Type | Meaning |", "|---|---|---|"]
    rows += [
        f"| `{name}{'{' + ','.join(labels) + '}' if labels else ''}` | {kind} | {meaning} |"
        for name, labels, kind, meaning in _metrics()
    ]
    return "\n".join(rows)


def page(text: str) -> str:
    """Return the page with its table brought up to date.

    Raises:
      ValueError: The marks around the table are not in it.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _metrics() -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    for measure in measures.known().values():
        yield measure.name, measure.labels, measure.kind, measure.documentation
    for gauge in vars(declared).values():
        if isinstance(gauge, Gauge):
            yield gauge._name, tuple(gauge._labelnames), "gauge", gauge._documentation
    for kind, figures in (("gauge", declared.OF_THIS_PROCESS), ("gauge, of the database", declared.OF_DATABASE)):
        for name, figure in figures.items():
            yield name, (figure.label,) if figure.label else (), kind, figure.documentation


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
