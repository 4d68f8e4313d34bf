"""Measure how well a dub keeps to the speaker: dub real speech from English into Spanish, and analyze the track.

What ``dub.json`` says is not believed: the track is cut into sound and silence by its energy. What is heard after an
utterance's slot begins is taken for that utterance. Silence must tell it from the one before: where there is none, it
comes too early, or the two may sound at once.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech import write_speech
from octavia.engines.voices.tempo import stretch
from octavia.jobs.tables.records import NewJob
from octavia.jobs.tables.states import JobStatus, JobType
from octavia.local import LocalService
from octavia.media.encode import Encoder, read_audio
from octavia.media.loudness import window_powers
from octavia.settings import get_settings

ON_TIME = 0.1
FRAME = 0.01
SILENCE = 10 ** (-60 / 10)
"""Mean square below which a stretch counts as silent; speech is at -23 dB."""

APART = 0.06
"""Seconds of silence that separate two utterances; the plan leaves 0.08 s, and their own ends are silent."""


@dataclass(frozen=True)
class Heard:
    """One utterance as it is heard: its start, and whether the track is silent before its slot."""

    start: float
    apart: bool


def heard(sounds: NDArray[np.bool_], start: float, until: float) -> Heard | None:
    """Find the sound between the start of one slot and that of the next; None if it is silent.

    Sound that goes on from before the slot belongs to the utterance before: this one starts after the first silence.
    """
    first, last = round(start / FRAME), round(until / FRAME)
    frames = round(APART / FRAME)
    apart = not sounds[max(0, first - frames) : first].any()
    if sounds[max(0, first - 1) : first].any():
        quiet = np.convolve(sounds[first:], np.ones(frames), "valid") == 0
        first = first + int(quiet.argmax()) if quiet.any() else last
    found = np.flatnonzero(sounds[first:last])
    return Heard((first + int(found[0])) * FRAME, apart) if found.size else None


def measure(folder: Path, length: float) -> dict[str, Any]:
    """Compute the figures of one dub from its track and the times of the original's speech."""
    samples, rate = read_audio(folder / "dub.wav")
    sounds = window_powers(samples, round(FRAME * rate)) > SILENCE
    dub = json.loads((folder / "dub.json").read_text())
    rows = dub["utterances"]
    untils = [*(row["start"] for row in rows), len(samples) / rate][1:]
    listened = [(row, heard(sounds, row["start"], until)) for row, until in zip(rows, untils, strict=True)]
    found = [(row, sound) for row, sound in listened if sound is not None]
    late = [sound.start - row["start"] for row, sound in found]
    return {
        "seconds": round(length, 1),
        "utterances": len(rows),
        "not heard": len(rows) - len(found),
        "on time": f"{fmean(seconds <= ON_TIME + FRAME / 2 for seconds in late):.1%}",
        "worst lateness": f"{max(late):.2f} s",
        "not apart": sum(not sound.apart for _, sound in found),
        "unfitted": sum(row["unfitted"] for row in rows),
        "mean rate": f"{fmean(row['rate'] for row in rows):.3f}",
        "worst rate": f"{max(row['rate'] for row in rows):.3f}",
        "length": f"{len(samples) / rate - length:+.3f} s",
        "plan and sound": f"{max(abs(sound.start - row['spoken_start']) for row, sound in found):.2f} s apart at most",
        "as the job says": dub["timing"],
    }


def dub(media: Path, service: LocalService, out: Path) -> float:
    """Dub a recording into ``out``; returns the seconds of the original."""
    job = service.submit(NewJob(JobType.DUB, "en", "es", options={"formats": ["wav"], "voice": "ef_dora"}), media)
    ended = service.wait(job.id, lambda *_: None)
    if ended.status is not JobStatus.COMPLETED:
        sys.exit(f"error: the job is {ended.status}: {ended.error}")
    service.export(job.id, out)
    samples, rate = read_audio(media)
    return len(samples) / rate


def main() -> None:
    """Dub the requested recordings, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path, nargs="*", help="mono recordings, WAV or FLAC; else prompts with pauses")
    parser.add_argument("--seconds", type=float, default=240, help="length of the prompts")
    parser.add_argument("--faster", type=float, default=1.0, help="have the prompts spoken so many times as fast")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="octavia-bench-") as folder:
        recordings = arguments.media
        if not recordings:
            recordings = [Path(folder) / "prompts.wav"]
            write_speech(recordings[0], arguments.seconds)
            samples, rate = read_audio(recordings[0])
            with Encoder(recordings[0], "wav", rate) as encoder:
                encoder.write(stretch(samples, rate, arguments.faster))
        changes = {"data_dir": Path(folder) / "data", "broker_url": "", "log_level": "error"}
        with LocalService(get_settings().model_copy(update=changes), slots=2) as service:
            for media in recordings:
                out = Path(folder) / media.stem
                figures = measure(out, dub(media, service, out))
                print(media.name)
                for name, figure in figures.items():
                    print(f"  {name:14} {figure}", flush=True)


if __name__ == "__main__":
    main()
