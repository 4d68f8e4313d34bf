"""The summary of a finished run: tables for people, JSON for programs."""

import json
import wave
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table
from rich.text import Text

from octavia.cli.console import STAGE_LABELS, clock, with_options
from octavia.cli.printable import in_a_line, printable
from octavia.jobs.tables import queries
from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.states import Stage
from octavia.local import LocalService
from octavia.media.formats import FORMATS

SILENT = "No speech was heard in the recording: the files have no words."
"""The last line about such a run."""

_LINES_SHOWN = 40
_SILENCE = "no_speech"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file of the results; ``size`` in bytes, ``seconds`` None unless it is audio."""

    path: Path
    size: int
    seconds: float | None

    @classmethod
    def of(cls, path: Path) -> "ResultFile":
        """Measure a file."""
        return cls(path, path.stat().st_size, _seconds_of(path) if path.suffix[1:] in FORMATS else None)


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: its times in seconds (0 in a text), its words, and their translation, if any."""

    start: float
    end: float
    text: str
    translation: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished run, with its results and times in seconds.

    ``stage_seconds`` are summed over the processes, with the loading of models; ``wall`` is from start to end.
    """

    job: JobRecord
    files: tuple[ResultFile, ...]
    lines: tuple[Line, ...]
    stage_seconds: dict[Stage, float]
    wall: float

    @classmethod
    def of(cls, service: LocalService, job: JobRecord, made: Sequence[Path], *, wall: float) -> "Summary":
        """Collect the summary; the database of the service must still be open."""
        spent = queries.stage_seconds(service.database, job.id)
        return cls(
            job=job,
            files=tuple(ResultFile.of(path) for path in made),
            lines=_lines(made),
            stage_seconds={stage: spent[stage] for stage in Stage if stage in spent},
            wall=wall,
        )

    @property
    def silent(self) -> bool:
        """True if no speech was heard in a recording."""
        return any(warning["code"] == _SILENCE for warning in self.job.warnings)

    @property
    def factors(self) -> dict[Stage, float]:
        """The real-time factor of each stage: seconds of work per second of the recording or of the speech made."""
        seconds = self.job.duration or next((file.seconds for file in self.files if file.seconds), None)
        return {stage: spent / seconds for stage, spent in self.stage_seconds.items()} if seconds else {}

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints; it has all keys also for a failed job."""
        job = self.job
        return {
            "status": job.status.value,
            "type": job.type.value,
            "source_language": job.source_language,
            "target_language": job.target_language,
            "duration": job.duration,
            "dub": job.dub,
            "wall_seconds": round(self.wall, 3),
            "stages": {
                stage.value: {
                    "seconds": round(spent, 3),
                    "real_time_factor": round(self.factors[stage], 4) if stage in self.factors else None,
                }
                for stage, spent in self.stage_seconds.items()
            },
            "models": job.models,
            "warnings": list(job.warnings),
            "files": [
                {"path": str(file.path), "size": file.size, "seconds": file.seconds and round(file.seconds, 3)}
                for file in self.files
            ],
            "error": job.error and {"code": job.error.code, "message": job.error.message, "hint": job.error.hint},
        }

    @property
    def translation(self) -> str:
        """The translated text, read from the results."""
        [path] = (file.path for file in self.files if file.path.name == "translation.txt")
        return path.read_text(encoding="utf-8").strip()

    def show_text(self, screen: Console, notes: Console) -> None:
        """Print the translated text alone, and the notes elsewhere."""
        self._show_notes(notes)
        screen.print(Text(self.translation), soft_wrap=True)

    def show(self, screen: Console) -> None:
        """Print the lines, the files and the times."""
        if self.lines:
            screen.print(self._table_of_lines())
            if len(self.lines) > _LINES_SHOWN:
                screen.print(f"… and {len(self.lines) - _LINES_SHOWN} more lines in the files.")
            screen.print()
        self._show_notes(screen)
        for file in self.files:
            length = f"  {file.seconds:.1f} s" if file.seconds is not None else ""
            screen.print(Text(f"{in_a_line(file.path)}  {decimal(file.size)}{length}"), soft_wrap=True)
        screen.print()
        if self.job.dub:
            screen.print(_table_of_timing(self.job.dub))
            screen.print()
        screen.print(self._table_of_stages())
        if self.silent:
            screen.print()
            screen.print(SILENT)

    def _show_notes(self, screen: Console) -> None:
        for warning in self.job.warnings:
            if warning["code"] == _SILENCE:
                continue
            note = in_a_line(with_options(warning["message"]))
            screen.print(Text.assemble(("note: ", "yellow"), note), soft_wrap=True)

    def _table_of_lines(self) -> Table:
        timed = any(line.end > 0 for line in self.lines)
        translated = any(line.translation is not None for line in self.lines)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        if timed:
            table.add_column("time", style="cyan", no_wrap=True)
        table.add_column(self.job.source_language, overflow="fold", ratio=1)
        if translated:
            table.add_column(self.job.target_language or "", overflow="fold", ratio=1)
        for line in self.lines[:_LINES_SHOWN]:
            cells = [Text(printable(line.text))]
            if timed:
                cells.insert(0, Text(f"{clock(line.start)} – {clock(line.end)}"))
            if translated:
                cells.append(Text(printable(line.translation or "")))
            table.add_row(*cells)
        return table

    def _table_of_stages(self) -> Table:
        numbers = (Column("work", justify="right"), Column("real-time factor", justify="right"))
        table = Table("stage", *numbers, box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for stage, spent in self.stage_seconds.items():
            factor = f"{self.factors[stage]:.2f}" if stage in self.factors else ""
            table.add_row(STAGE_LABELS[stage], f"{spent:.1f} s", factor)
        seconds = self.job.duration
        table.add_row("all, as you waited", f"{self.wall:.1f} s", f"{self.wall / seconds:.2f}" if seconds else "")
        return table


def _table_of_timing(dub: Mapping[str, float]) -> Table:
    """Show how closely the dub follows the timing of the original."""
    table = Table("timing", "", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_row(
        "starts on time", f"{dub['on_time']:.0%} of {dub['utterances']}, at most {dub['worst_lateness']:.2f} s late"
    )
    table.add_row("fits in its place", f"{dub['fitted']:.0%}")
    table.add_row("speed", f"{dub['mean_rate']:.2f} on average, at most {dub['worst_rate']:.2f}")
    return table


def _seconds_of(path: Path) -> float | None:
    with suppress(wave.Error, EOFError), wave.open(str(path)) as file:
        seconds: float = file.getnframes() / file.getframerate()
        return seconds
    # Imported only where it is needed: it takes as long as all else that comes after the job.
    from octavia.media.probe import probe

    return probe(path).duration


def _lines(made: Sequence[Path]) -> tuple[Line, ...]:
    """Read the utterances from the most detailed of the results."""
    named = {path.name: path for path in made}
    for name in ("translation.json", "transcript.json", "dub.json"):
        if name in named:
            rows = json.loads(named[name].read_text())["utterances"]
            return tuple(Line(row["start"], row["end"], row["text"], row.get("translation")) for row in rows)
    return ()
