"""A chunk's segments have times of the whole recording, and are told as they come."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from octavia.actors import LoadedModels
from octavia.actors import transcribe as module
from octavia.actors.transcribe import transcribe
from octavia.jobs.tables.records import HeardSegment
from octavia.text.words import Segment, Word
from octavia.work import Work
from tests.support.job import job


def test_transcribe_moves_times_to_those_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the second chunk, of two seconds, which begins at 10 s
    saved: dict[str, Any] = {}
    done: list[float] = []
    work: Any = SimpleNamespace(
        job=job(source_language="en", options={"vocabulary": "Marianne"}, models={"speech": {"id": "tiny"}}),
        claim=SimpleNamespace(ref=SimpleNamespace(chunk=1)),
        chunk_start=lambda: 10.0,
        read=lambda _, name: name,
        unreported=[],
        checkpoint=done.append,
        save_json=saved.__setitem__,
    )
    asked: dict[str, Any] = {}

    def hear(samples: Any, **options: Any) -> list[Segment]:
        asked.update(options)
        return [Segment(0.5, 1.0, "Good day.", (Word(0.5, 1.0, "Good day.", 0.9),))]

    models: Any = SimpleNamespace(recognizer=lambda _: SimpleNamespace(transcribe=hear))
    monkeypatch.setattr(module, "read_audio", lambda name: (np.zeros(32_000), 16_000))
    # When it is transcribed
    transcribe(cast(Work, work), cast(LoadedModels, models))
    # Then segment and word are at the recording's times, those who watch get the segment, and progress is the chunk's
    (segment,) = saved["transcript.json"]["segments"]
    assert (segment["start"], segment["end"], segment["words"][0]["start"]) == (10.5, 11.0, 10.5)
    assert work.unreported == [HeardSegment(0, 10.5, 11.0, "Good day.")]
    assert done == [0.5]
    assert asked == {"language": "en", "beam_size": 5, "prompt": "Marianne"}
