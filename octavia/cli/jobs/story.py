"""The table of ``octavia jobs logs``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from octavia.cli import console

if TYPE_CHECKING:
    from octavia.client import LogEntry


def table_of(entries: Sequence["LogEntry"]) -> Table:
    """Lay out the log of a job, a line for each entry; times in UTC."""
    table = console.table("time", "what", "chunk", "try", "worker", "waited", "took", "outcome")
    for one in entries:
        table.add_row(
            one.at.strftime("%Y-%m-%d %H:%M:%S"),
            _what(one),
            "" if one.chunk is None else str(one.chunk),
            "" if one.attempt is None else str(one.attempt),
            _worker(one),
            _seconds(one.waited_seconds),
            _seconds(one.seconds if one.what == "attempt" else None),
            _outcome(one),
        )
    return table


def _what(one: "LogEntry") -> str:
    if one.what == "attempt":
        return one.stage or "attempt"
    if one.what == "queued" and (one.run or 1) > 1:
        return f"queued, run {one.run}"
    return one.what.replace("_", " ")


def _worker(one: "LogEntry") -> str:
    place = f"{one.host}:{one.pid}" if one.host else ""
    return " ".join(filter(None, (one.worker, place)))


def _outcome(one: "LogEntry") -> str:
    parts = [(one.status or "").replace("_", " ")]
    if one.edits:
        parts.append(f"{one.edits} edited utterance{'s' if one.edits > 1 else ''}")
    if one.next_at is not None:
        parts.append(f"again at {one.next_at:%H:%M:%S}")
    if one.error is not None:
        parts.append(f"{one.error.message} ({one.error.code})")
    return "; ".join(filter(None, parts))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
