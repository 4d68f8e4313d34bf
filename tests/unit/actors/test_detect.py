"""The language of a recording is that of the chunk that is heard best."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from octavia.actors import LoadedModels
from octavia.actors import detect as module
from octavia.actors.detect import detect
from octavia.engines.types import Detection
from octavia.jobs.tables.states import JobType
from octavia.work import Work
from tests.support.job import job


def test_detect_listens_to_three_chunks_and_takes_the_likeliest_language(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a recording of seven chunks, each of which sounds like another language
    heard: list[int] = []
    done: list[float] = []
    found = {0: Detection("en", 0.4), 2: Detection("es", 0.9), 4: Detection("fr", 0.6)}

    def listen(samples: Any) -> Detection:
        heard.append(int(samples[0]))
        return found[heard[-1]]

    work: Any = SimpleNamespace(
        job=job(JobType.TRANSCRIBE, models={"speech": {"id": "tiny"}}),
        read_json=lambda *_: [{}] * 7,
        read=lambda _, name: int(name.removeprefix("chunk-").removesuffix(".flac")),
        checkpoint=done.append,
        detected=None,
    )
    models: Any = SimpleNamespace(recognizer=lambda _: SimpleNamespace(detect=listen))
    monkeypatch.setattr(module, "read_audio", lambda index: (np.array([index]), 16_000))
    # When its language is detected
    detect(cast(Work, work), cast(LoadedModels, models))
    # Then three chunks from all over it were heard, and the likeliest language is the job's
    assert heard == [0, 2, 4]
    assert (work.detected.language, work.detected.models) == ("es", {})
    assert done == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
