"""The progress of a local job: on a terminal one bar per stage, elsewhere one line per finished stage."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from octavia.cli.console import STAGE_LABELS
from octavia.jobs.status.job_details import StageProgress
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import Stage


class StageBars(Progress):
    """Progress bars, shown while the ``with`` block lasts."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description:<21}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[parts]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bars: dict[Stage, TaskID] = {}
        self._done: set[Stage] = set()
        self._began = time.monotonic()

    def show(self, job: JobRecord, stages: Mapping[Stage, StageProgress]) -> None:
        """Show the progress of each stage."""
        for stage, progress in stages.items():
            if stage not in self._bars:
                self._bars[stage] = self.add_task(STAGE_LABELS[stage], total=1.0, start=False, parts="")
            bar = self._bars[stage]
            if progress.done > 0 or job.stage == stage:
                self.start_task(bar)
            parts = f"{int(progress.done)}/{progress.total} parts" if progress.total > 1 else ""
            self.update(bar, completed=progress.fraction, parts=parts)
            if progress.fraction == 1 and stage not in self._done:
                self._done.add(stage)
                self.stop_task(bar)
                if not self.console.is_terminal:
                    seconds = time.monotonic() - self._began
                    self.console.print(f"{STAGE_LABELS[stage]}: done after {seconds:.1f} s")
