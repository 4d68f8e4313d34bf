"""The progress of a job of a running service: a bar on a terminal, elsewhere one line per stage."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from octavia.cli import console
from octavia.cli.console import STAGE_LABELS
from octavia.client import Event, Job, Octavia
from octavia.client.calls import JobId
from octavia.errors import OctaviaError
from octavia.jobs.tables.states import Stage


def watch_to_end(octavia: Octavia, job_id: JobId) -> Job:
    """Show the progress of a job until it ends; return the ended job."""
    with JobBar(console.err()) as bar:
        for event in octavia.watch(job_id, on_lost=bar.lost):
            bar.show(event)
    return octavia.get(job_id)


class JobBar(Progress):
    """A progress bar, shown while the ``with`` block lasts."""

    def __init__(self, screen: Console) -> None:
        super().__init__(
            TextColumn("{task.description:<21}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=screen,
            disable=not screen.is_terminal,
        )
        self._bar = self.add_task("Waiting", total=1.0)
        self._shown = ""

    def show(self, event: Event) -> None:
        """Show an event of the job."""
        data = event.data
        if event.type == "queued":
            self._show("Waiting", completed=0.0)
        elif event.type == "progress":
            self._show(_label(data.get("stage")), completed=float(data["progress"]))
        elif event.type == "stage" and data.get("status") == "started":
            self._show(_label(data.get("stage")))
        elif event.type == "stage" and data.get("status") == "retrying":
            self._say(f"{_label(data.get('stage'))} failed ({data.get('code')}) and will be retried.")
        elif event.type == "completed":
            self._show("Completed", completed=1.0)

    def lost(self, error: OctaviaError | None) -> None:
        """Report that the service does not answer or, with None, that it answers again."""
        self._say(f"{error.message} Trying again …" if error else "Connected again.")

    def _show(self, label: str, **values: Any) -> None:
        self.update(self._bar, description=label, **values)
        if label != self._shown and not self.console.is_terminal:
            self._say(label)
        self._shown = label

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def _label(stage: Any) -> str:
    """The name of a stage, also of one that only newer services have."""
    return STAGE_LABELS[Stage(stage)] if stage in list(Stage) else str(stage or "Working").capitalize()
