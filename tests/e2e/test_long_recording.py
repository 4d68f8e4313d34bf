"""An hour of speech: it is dubbed whole, and no worker needs much more memory for it than for a minute."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from octavia.engines.types import SPEECH_RATE
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.local import LocalService
from octavia.media.decode import decode
from octavia.media.encode import Encoder
from octavia.settings import Settings
from tests.e2e.service import SAMPLE

MIB = 1024 * 1024


def recording(path: Path, seconds: float) -> Path:
    """The sample again and again."""
    samples = np.concatenate(list(decode(SAMPLE)))
    with Encoder(path, "flac", SPEECH_RATE) as encoder:
        for _ in range(round(seconds * SPEECH_RATE / len(samples))):
            encoder.write(samples)
    return path


def peak_memory(folder: Path, media: Path) -> int:
    """Dub with two fresh workers; the most that either, or this process, held at once, in bytes."""
    folder.mkdir()
    settings = Settings(data_dir=folder / "data", log_level="warning")
    peak = 0

    def sample(*_: object) -> None:
        nonlocal peak
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue

    with LocalService(settings, slots=2) as service:
        job = service.submit(NewJob(JobType.DUB, "en", "en", options={"revoice": True, "formats": ["mp3"]}), media)
        ended = service.wait(job.id, sample)
    assert ended.status is JobStatus.COMPLETED, ended.error
    assert ended.duration is not None
    assert service.storage.exists(f"jobs/{job.id}/r1/job/assemble/a1/dub.mp3")
    return peak


@pytest.mark.long
def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path: Path) -> None:
    # Given a minute and an hour of the same speech
    minute = recording(tmp_path / "minute.flac", 60)
    hour = recording(tmp_path / "hour.flac", 3600)

    # When each is dubbed by workers of its own
    short = peak_memory(tmp_path / "short", minute)
    long = peak_memory(tmp_path / "long", hour)

    # Then the hour took at most 100 MB more, and no more than a small machine has
    print(f"peak of a worker: {short / MIB:.0f} MiB for a minute, {long / MIB:.0f} MiB for an hour")
    assert long - short <= 100 * 1_000_000
    assert long <= 1_200_000_000
