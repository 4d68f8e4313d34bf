"""A job of a running service on its way to its end: a bar on a terminal, a line a stage elsewhere."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from octavia.cli import console
from octavia.cli.local.progress import LABELS
from octavia.client import Event, Job, Octavia
from octavia.client.calls import JobId
from octavia.errors import OctaviaError
from octavia.jobs.tables.states import Stage


def follow(octavia: Octavia, job_id: JobId) -> Job:
    """Show what happens to a job until it has ended; returns it as it is then."""
    with JobBar(console.err()) as bar:
        for event in octavia.watch(job_id, on_lost=bar.lost):
            bar.update(event)
    return octavia.get(job_id)


class JobBar:
    """Shows the events it is given, for as long as the ``with`` block lasts."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._bar = Progress(
            TextColumn("{task.description:<21}"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=screen,
            disable=not screen.is_terminal,
        )
        self._task = self._bar.add_task("Waiting", total=1.0)
        self._shown = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, event: Event) -> None:
        """Show what an event tells."""
        data = event.data
        if event.type == "queued":
            self._show("Waiting", completed=0.0)
        elif event.type == "progress":
            self._show(_label(data.get("stage")), completed=float(data["progress"]))
        elif event.type == "stage" and data.get("status") == "started":
            self._show(_label(data.get("stage")))
        elif event.type == "stage" and data.get("status") == "retrying":
            self._say(f"{_label(data.get('stage'))} went wrong ({data.get('code')}); it is tried again.")
        elif event.type == "completed":
            self._show("Completed", completed=1.0)

    def lost(self, error: OctaviaError | None) -> None:
        """Say that the service does not answer, and that it does again."""
        self._say(f"{error.message} Trying again …" if error else "Connected again.")

    def _show(self, label: str, **values: Any) -> None:
        self._bar.update(self._task, description=label, **values)
        if label != self._shown and not self._screen.is_terminal:
            self._say(label)
        self._shown = label

    def _say(self, text: str) -> None:
        self._screen.print(text, markup=False, soft_wrap=True)


def _label(stage: Any) -> str:
    """What a stage is called; a newer service may have others."""
    return LABELS[Stage(stage)] if stage in list(Stage) else str(stage or "Working").capitalize()
