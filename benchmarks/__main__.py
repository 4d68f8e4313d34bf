"""Compare Octavia with the plain script, on one machine and in one run: ratios of wall time, and memory of workers.

Both start warm: models loaded and one untimed run of a short recording first. The plain script then gets the thread
count that is fastest on that recording. Then they take turns, and the median of the ratios counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.speech import write_speech
from octavia import programs
from octavia.catalog import Catalog, Store
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.local import LocalService
from octavia.settings import Settings, get_settings
from rabbitmq.node import Node, Ports

HERE = Path(__file__).parent
MIB = 1024 * 1024
SHORT_SECONDS = 60.0


@dataclass(frozen=True)
class Scenario:
    """One dub, as options of Octavia and as arguments of the baseline."""

    name: str
    job: NewJob
    arguments: tuple[str, ...]


class Baseline:
    """The plain script in a process of its own, dubbing once for each call."""

    def __init__(self, arguments: tuple[str, ...], threads: int, out: Path) -> None:
        self.threads = threads
        options = (*arguments, "--threads", str(threads), "--out", str(out.absolute()))
        self._process = subprocess.Popen(
            programs.script(HERE / "baseline.py", *options),
            env=programs.environment(),
            cwd=programs.FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, media: Path) -> float:
        """Dub once; returns the wall seconds."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{media}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Octavia:
    """Octavia's workers around one folder, warm after the first call; with a broker in the settings, through it."""

    def __init__(self, service: LocalService, job: NewJob, out: Path) -> None:
        self._service, self._job, self._out = service, job, out
        self.peak = 0

    def __call__(self, media: Path) -> float:
        """Dub once; returns the wall seconds from the file to its results."""
        began = time.perf_counter()
        job = self._service.submit(self._job, media)
        ended = self._service.wait(job.id, lambda *_: self._sample())
        if ended.status is not JobStatus.COMPLETED:
            sys.exit(f"error: the job is {ended.status}: {ended.error}")
        self._service.export(job.id, self._out)
        return time.perf_counter() - began

    def _sample(self) -> None:
        for child in psutil.Process().children(recursive=True):
            try:
                if "octavia.worker.child" in child.cmdline():
                    self.peak = max(self.peak, child.memory_info().rss)
            except psutil.NoSuchProcess:
                continue


def scenarios(store: Store, catalog: Catalog) -> list[Scenario]:
    """The recording spoken again in English by Piper, and dubbed into Spanish by Kokoro."""
    whisper = ("--whisper", str(store.path(catalog.get("whisper-tiny.en"))))
    piper = ("--piper", str(store.path(catalog.get("en_US-joe-medium"))))
    translation = ("--translation", str(store.path(catalog.get("en-es"))))
    kokoro = ("--kokoro", str(store.path(catalog.get("kokoro"))), "--voice", "ef_dora")
    revoice = NewJob(JobType.DUB, "en", "en", options={"revoice": True, "formats": ["wav"]})
    spanish = NewJob(JobType.DUB, "en", "es", options={"formats": ["wav"], "voice": "ef_dora"})
    return [
        Scenario("English spoken by Piper", revoice, (*whisper, *piper)),
        Scenario("English → Spanish with Kokoro", spanish, (*whisper, *translation, *kokoro)),
    ]


@contextmanager
def best_baseline(short: Path, arguments: tuple[str, ...], out: Path) -> Iterator[Baseline]:
    """The plain script with the thread count that is fastest here, warm."""
    timed: list[tuple[float, Baseline]] = []
    for threads in sorted({1, os.cpu_count() or 1}):
        baseline = Baseline(arguments, threads, out)
        baseline(short)
        timed.append((baseline(short), baseline))
        print(f"  baseline, short recording, {threads} thread(s): {timed[-1][0]:.1f} s", flush=True)
    (_, best), *others = sorted(timed, key=lambda pair: pair[0])
    for _, other in others:
        other.close()
    try:
        yield best
    finally:
        best.close()


def measure(scenario: Scenario, media: Path, short: Path, settings: Settings, runs: int) -> None:
    """Print the median ratio of one scenario under these settings."""
    way = "embedded" if settings.embedded else "through RabbitMQ"
    print(f"{scenario.name}, {way}, {settings.worker_slots} slots", flush=True)
    out = settings.data_dir / "out"
    with (
        best_baseline(short, scenario.arguments, out) as baseline,
        LocalService(settings, slots=settings.worker_slots) as service,
    ):
        octavia = Octavia(service, scenario.job, out)
        octavia(short)
        pairs = [(baseline(media), octavia(media)) for _ in range(runs)]
    ratios = [ours / theirs for theirs, ours in pairs]
    theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"  baseline {theirs:.1f} s ({baseline.threads} thread(s)), octavia {ours:.1f} s, "
        f"ratio {statistics.median(ratios):.2f} (of {', '.join(f'{ratio:.2f}' for ratio in ratios)}), "
        f"largest worker {octavia.peak / MIB:.0f} MiB",
        flush=True,
    )


@contextmanager
def private_rabbitmq(folder: Path) -> Iterator[str]:
    """Run a private RabbitMQ node with the project's configuration; yields its URL."""
    node = Node(folder / "rabbitmq", Ports.free(), output=folder / "rabbitmq.log")
    try:
        node.start()
        node.wait()
        yield node.url
    finally:
        node.stop()


def main() -> None:
    """Run the requested scenarios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="length of the recording")
    parser.add_argument("--runs", type=int, default=3, help="timed pairs of runs")
    parser.add_argument("--rabbitmq", action="store_true", help="measure through a private RabbitMQ, not embedded")
    parser.add_argument("--only", default="", help="part of a scenario's name")
    arguments = parser.parse_args()
    settings = get_settings()
    found = scenarios(Store.of(settings), Catalog.load(settings))
    with tempfile.TemporaryDirectory(prefix="octavia-bench-") as folder, ExitStack() as stack:
        media, short = Path(folder) / "speech.wav", Path(folder) / "short.wav"
        write_speech(media, arguments.seconds)
        write_speech(short, SHORT_SECONDS)
        broker_url = stack.enter_context(private_rabbitmq(Path(folder))) if arguments.rabbitmq else ""
        chosen = [scenario for scenario in found if arguments.only.lower() in scenario.name.lower()]
        for number, scenario in enumerate(chosen):
            changes = {
                "data_dir": Path(folder) / str(number),
                "broker_url": broker_url,
                "queue_prefix": f"bench-{os.getpid()}-{number}",
                "worker_slots": 2,
                "log_level": "error",
            }
            measure(scenario, media, short, settings.model_copy(update=changes), arguments.runs)


if __name__ == "__main__":
    main()
