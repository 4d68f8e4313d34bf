"""The progress of a local job: on a terminal one bar per stage, elsewhere one line per finished stage."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from octavia.cli.console import STAGE_LABELS
from octavia.jobs.status.job_details import StageProgress
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import Stage


class StageBars:
    """Progress bars, shown while the ``with`` block lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<21}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[parts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[Stage, TaskID] = {}
        self._done: set[Stage] = set()
        self._started = time.monotonic()

    def __enter__(self) -> "StageBars":
        self._bars.start()
        return self

    def update(self, job: JobRecord, stages: Mapping[Stage, StageProgress]) -> None:
        """Show the progress of each stage."""
        for stage, progress in stages.items():
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(STAGE_LABELS[stage], total=1.0, start=False, parts="")
            task = self._tasks[stage]
            if progress.done > 0 or job.stage == stage:
                self._bars.start_task(task)
            parts = f"{int(progress.done)}/{progress.total} parts" if progress.total > 1 else ""
            self._bars.update(task, completed=progress.done / progress.total, parts=parts)
            if progress.done == progress.total and stage not in self._done:
                self._done.add(stage)
                self._bars.stop_task(task)
                if not self._console.is_terminal:
                    seconds = time.monotonic() - self._started
                    self._console.print(f"{STAGE_LABELS[stage]}: done after {seconds:.1f} s")

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
