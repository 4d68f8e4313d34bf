"""Pauses in words: what is paused, since when, by whom and why, and the command that ends it."""

import shlex
from datetime import UTC
from typing import TYPE_CHECKING

from octavia.cli.printable import in_a_line
from octavia.jobs.tables.states import PauseMode

if TYPE_CHECKING:
    from octavia.jobs.tables.pauses import PauseRecord


def described(pause: "PauseRecord") -> str:
    """Return a pause in a line."""
    from octavia.jobs.operations.pauses import target_of

    done = "drained" if pause.mode is PauseMode.DRAIN else "paused"
    when = pause.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    said = f": {pause.reason}" if pause.reason else ""
    return in_a_line(f"{target_of(pause.queue, pause.host)} {done} since {when} by {pause.by}{said}")


def resume_command(pause: "PauseRecord") -> str:
    """Return the command that ends a pause."""
    named = [*([pause.queue] if pause.queue else []), *(["--host", pause.host] if pause.host else [])]
    return in_a_line(f"octavia queues resume {shlex.join(named or ['--all'])}")
