"""A dub plays while it is made: what is there at once, the rest as it comes, and nothing of another's."""

import io
import json
import threading
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from octavia.jobs.lifecycle import removal, submit
from octavia.jobs.protocol import cancel, completion, early
from octavia.jobs.status.preview import PIECE, RATE, SPEECH
from octavia.jobs.tables.records import Claim, NewArtifact, NewJob, TaskRef
from octavia.jobs.tables.states import JobType, Stage
from octavia.media.encode import Encoder, read_audio
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import RESULTS, complete
from tests.integration.api.server import Server
from tests.integration.jobs.steps import HOPELESS, MEDIA, Steps, artifact, plan


def piece(hertz: float, seconds: float = 2.0) -> bytes:
    """A tone, as a chunk's speech is stored."""
    target = io.BytesIO()
    with Encoder(target, "aac", RATE) as encoder:
        encoder.write(np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * hertz / RATE).astype(np.float32) * 0.5)
    return target.getvalue()


def pitch(samples: np.ndarray) -> float:
    """The loudest frequency, in Hz."""
    powers = np.abs(np.fft.rfft(samples))
    return float(np.argmax(powers) * RATE / len(samples))


class Player:
    """A client that listens in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.blocks: Queue[bytes | None] = Queue()
        self.heard = b""
        self._url = url
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with httpx.stream("GET", self._url, timeout=30) as answer:
            for block in answer.iter_bytes():
                self.blocks.put(block)
        self.blocks.put(None)

    def until(self, seconds: float) -> np.ndarray:
        """Listen until there are so many seconds of sound; returns all there is."""
        while (samples := self.samples()).size < seconds * RATE:
            block = self.blocks.get(timeout=30)
            assert block is not None, "the stream ended"
            self.heard += block
        return samples

    def rest(self) -> np.ndarray:
        """Listen to the end."""
        while (block := self.blocks.get(timeout=30)) is not None:
            self.heard += block
        return self.samples()

    def samples(self) -> np.ndarray:
        return read_audio(io.BytesIO(self.heard))[0] if self.heard else np.zeros(0, np.float32)


class Dub:
    """A dub of chunks of 29 s, which is made step by step."""

    def __init__(self, steps: Steps, storage: Storage) -> None:
        self.steps, self.storage = steps, storage
        self.id: UUID = submit.create(steps.db, NewJob(JobType.DUB, "en", "es", input=dict(MEDIA))).id
        (ref,) = steps.deliver()
        self.prepare = steps.claim(ref)

    def release(self, chunks: int) -> None:
        left = [artifact(self.prepare, name=f"chunk-{chunk}") for chunk in range(chunks)]
        assert early.release_chunks(self.steps.db, self.prepare, plan(chunks), artifacts=left, fraction=0.5)

    def work(self, **tones: float) -> None:
        """Do everything that is due but to assemble.

        A chunk is spoken as a tone, given by ``chunk_NUMBER``, which begins after its first second.
        """
        while messages := self.steps.deliver():
            for ref, message in messages.items():
                claim = self.steps.claim(ref)
                if ref.stage is Stage.SYNTHESIZE:
                    self._speak(claim, tones.get(f"chunk_{ref.chunk}"))
                elif ref.stage is Stage.ASSEMBLE:
                    self.assemble = claim
                else:
                    assert self.steps.complete(claim, message)

    def _speak(self, claim: Claim, hertz: float | None) -> None:
        ref = claim.ref
        begin = ref.chunk * 29.0 + 1.0
        rows = [{"start": 0.0, "seconds": 0.0}, {"start": begin, "seconds": 2.0}]
        files = {SPEECH: json.dumps(rows if hertz else rows[:1]).encode(), **({PIECE: piece(hertz)} if hertz else {})}
        left = []
        for name, data in files.items():
            put = self.storage.put(f"jobs/{ref.job_id}/r{ref.run}/{ref.chunk}/synthesize/a{claim.attempt}/{name}", data)
            left.append(NewArtifact(name, "application/octet-stream", put.size, put.sha256, put.key))
        assert completion.complete(self.steps.db, claim, artifacts=left, handover=None)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=database_url, ready_queues=())


@pytest.fixture
def dub(server: Server, steps: Steps, storage: Storage) -> Dub:
    """A dub that nobody listens to yet."""
    return Dub(steps, storage)


def listen(server: Server, dub: Dub) -> Player:
    return Player(f"http://127.0.0.1:{server.port}/api/v1/jobs/{dub.id}/audio")


def test_speech_is_heard_as_it_is_made(server: Server, dub: Dub) -> None:
    # Given a client that listens before anything was spoken
    player = listen(server, dub)
    # When the first chunk of a recording that is still read is spoken
    dub.release(2)
    dub.work(chunk_0=440)
    # Then it is heard at its time, while the job goes on
    first = player.until(3.0)
    assert np.abs(first[: int(0.9 * RATE)]).max() < 0.01
    assert pitch(first[int(1.2 * RATE) : int(2.8 * RATE)]) == pytest.approx(440, abs=5)
    # When the rest follows, with a chunk without speech
    assert dub.steps.complete(dub.prepare, chunks=3)
    dub.work(chunk_2=880)
    # Then it is heard at its time too, and the stream ends
    whole = player.rest()
    assert len(whole) / RATE == pytest.approx(2 * 29 + 3, abs=0.2)
    assert np.abs(whole[int(4 * RATE) : int(58.5 * RATE)]).max() < 0.01
    assert pitch(whole[int(59.2 * RATE) : int(60.8 * RATE)]) == pytest.approx(880, abs=5)
    # And who comes later hears the same
    assert listen(server, dub).rest().size == whole.size


@pytest.mark.parametrize("end", ["fail", "cancel", "delete"])
def test_the_stream_ends_with_its_job(server: Server, dub: Dub, end: str) -> None:
    # Given a client that has heard the first chunk
    player = listen(server, dub)
    dub.release(2)
    dub.work(chunk_0=440)
    heard = player.until(3.0)
    # When the job ends without the rest
    match end:
        case "fail":
            dub.steps.fail(dub.prepare, HOPELESS)
        case "cancel":
            cancel.cancel(dub.steps.db, dub.id, "local")
            completion.stop_canceled(dub.steps.db, dub.prepare.task_id, dub.prepare.attempt)
        case "delete":
            removal.remove(dub.steps.db, dub.id, "local")
    # Then the stream ends with what there was
    assert player.rest().size == heard.size


def test_another_run_is_heard_from_its_own_beginning(server: Server, dub: Dub) -> None:
    # Given a dub that is prepared again
    assert dub.steps.complete(dub.prepare, chunks=1)
    dub.work(chunk_0=440)
    assert dub.steps.complete(dub.assemble)
    submit.retry(dub.steps.db, dub.id, "local", from_stage=Stage.PREPARE)
    (ref,) = dub.steps.deliver()
    dub.prepare = dub.steps.claim(ref)
    # When somebody listens, and it is spoken in another way
    player = listen(server, dub)
    assert dub.steps.complete(dub.prepare, chunks=1)
    dub.work(chunk_0=880)
    # Then nothing of the run before is heard
    assert pitch(player.rest()[int(1.2 * RATE) : int(2.8 * RATE)]) == pytest.approx(880, abs=5)


def test_of_a_completed_job_the_dub_is_sent(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given a completed dub
    job = steps.submit(input={**MEDIA, "filename": "talk.wav"})
    complete(steps, storage, job.id)
    # When it is asked for, whole or in part
    url = f"/api/v1/jobs/{job.id}/audio"
    media_type, data = RESULTS["dub.wav"]
    answer = client.get(url)
    part = client.get(url, headers={"range": "bytes=10-19"})
    # Then that is what comes
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, media_type, data)
    assert (part.status_code, part.content) == (206, data[10:20])


@pytest.mark.parametrize(
    ("type", "start", "status", "code"),
    [(JobType.TRANSCRIBE, True, 404, "artifact_not_found"), (JobType.DUB, False, 409, "not_ready")],
)
def test_a_job_without_speech_says_so(
    client: TestClient, steps: Steps, type: JobType, start: bool, status: int, code: str
) -> None:
    job = steps.submit(type, start=start)
    answer = client.get(f"/api/v1/jobs/{job.id}/audio")
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)


def test_only_its_kind_is_told_of_a_stream(client: TestClient, steps: Steps) -> None:
    job = steps.submit()
    answer = client.head(f"/api/v1/jobs/{job.id}/audio")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "audio/aac", b"")
    assert TaskRef(job.id, 1, -1, Stage.PREPARE) in steps.deliver()
