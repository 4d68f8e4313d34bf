"""A real recording is cut into chunks, which are handed on before the rest is read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from octavia.actors import cutting
from octavia.actors.artifacts import chunk_name
from octavia.actors.cutting import cut
from octavia.errors import Canceled, NotFound
from octavia.jobs.tables.records import Plan
from octavia.jobs.tables.states import EARLY_FORMAT, EDITS_FORMAT
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.work import Work
from tests.support.job import job

SAMPLE = Path(__file__).parents[3] / "samples" / "sense_and_sensibility.flac"
CHOICE = Plan((), None, "en", {"speech": {"id": "tiny"}}, ())


class Desk:
    """As much of a task in hand as cutting uses; notes what was saved when chunks were released."""

    def __init__(self, folder: Path, *, format: int = EARLY_FORMAT, sound: int | None = None) -> None:
        self.storage = Storage(f"file://{folder}")
        self.storage.put("talk", SAMPLE.read_bytes())
        self.job = replace(job(message_format=format), input={"kind": "media", "key": "talk", "filename": "talk.flac"})
        self.settings = Settings(chunk_seconds=5)
        self.files: dict[str, bytes] = {}
        self.releases: list[tuple[Plan, float, set[str]]] = []
        self.told: list[float] = []
        self._sound = sound

    def checkpoint(self, fraction: float) -> None:
        self.told.append(fraction)

    def save(self, name: str, data: bytes, media_type: str) -> None:
        self.files[name] = data

    def save_json(self, name: str, value: Any) -> None:
        self.files[name] = json.dumps(value).encode()

    def read_json(self, *_: object) -> Any:
        if self._sound is None:
            raise NotFound("There is none.")
        return {"track": self._sound}

    def release(self, plan: Plan, fraction: float) -> None:
        self.releases.append((plan, fraction, set(self.files)))


def cut_at(desk: Desk, released: tuple[float, ...] = (), *, choice: Plan = CHOICE) -> Plan:
    return cut(cast(Work, desk), choice, released)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks are released one by one: the recording is read in less than a second."""
    monkeypatch.setattr(cutting, "_RELEASE_SECONDS", 0.0)


def test_each_chunk_is_released_when_its_file_is_there(tmp_path: Path) -> None:
    # Given a recording of 27 s, in chunks of 5 s at most
    desk = Desk(tmp_path)
    # When it is cut
    plan = cut_at(desk)
    # Then each chunk was released as soon as the next one was cut, with its file and the job's facts; the last never
    assert len(plan.chunks) >= 6
    assert [len(released.chunks) for released, *_ in desk.releases] == list(range(1, len(plan.chunks)))
    for released, fraction, files in desk.releases:
        assert released == replace(plan, chunks=plan.chunks[: len(released.chunks)], duration=None)
        end = released.chunks[-1].start + released.chunks[-1].seconds
        assert fraction == pytest.approx(min(0.99, end / 26.73), abs=0.01)
        assert files >= {chunk_name(chunk.index, "flac") for chunk in released.chunks}
    # And the chunks are the recording, without gaps
    assert plan.duration == pytest.approx(26.73, abs=0.01)
    ends = [chunk.start + chunk.seconds for chunk in plan.chunks]
    assert [chunk.start for chunk in plan.chunks] == pytest.approx([0.0, *ends[:-1]])
    # And progress was told with every second that was read, and never said that all was
    assert len(desk.told) >= 26
    assert max(desk.told) == 0.99


def test_chunks_that_were_released_stay_as_they_are(tmp_path: Path) -> None:
    # Given an attempt that released three chunks
    whole = Desk(tmp_path)
    plan = cut_at(whole)
    # When another one goes on
    desk = Desk(tmp_path, sound=1)
    again = cut_at(desk, tuple(chunk.seconds for chunk in plan.chunks[:3]))
    # Then the plan is the same, and so are the files of the rest; those of the first three are not made again
    assert again.chunks == plan.chunks
    rest = {chunk_name(chunk.index, "flac") for chunk in plan.chunks[3:]}
    assert desk.files == {name: whole.files[name] for name in (*rest, "chunks.json")}
    # And it is cut behind them even if it would be cut elsewhere
    desk = Desk(tmp_path, sound=1)
    desk.settings = Settings(chunk_seconds=8)
    other = cut_at(desk, tuple(chunk.seconds for chunk in plan.chunks[:3]))
    assert other.chunks[:3] == plan.chunks[:3]
    assert other.chunks[3].start == plan.chunks[3].start
    assert other.duration == plan.duration


def test_an_attempt_may_have_released_everything(tmp_path: Path) -> None:
    plan = cut_at(Desk(tmp_path))
    desk = Desk(tmp_path, sound=1)
    assert cut_at(desk, tuple(chunk.seconds for chunk in plan.chunks)) == plan
    assert set(desk.files) == {"chunks.json"}


@pytest.mark.parametrize(
    ("choice", "format"),
    [(replace(CHOICE, language=None, needs_detect=True), EARLY_FORMAT), (CHOICE, EDITS_FORMAT)],
    ids=["language unknown", "job of an older release"],
)
def test_some_jobs_wait_until_all_was_read(tmp_path: Path, choice: Plan, format: int) -> None:
    desk = Desk(tmp_path, format=format)
    assert len(cut_at(desk, choice=choice).chunks) >= 6
    assert desk.releases == []


def test_reading_ends_at_the_checkpoint_that_says_so(tmp_path: Path) -> None:
    # Given a task that was canceled
    desk = Desk(tmp_path)

    def canceled(_: float) -> None:
        raise Canceled("The job was canceled.")

    desk.checkpoint = canceled  # type: ignore[method-assign]
    # Then no more than a block is read, far less than a chunk
    with pytest.raises(Canceled):
        cut_at(desk)
    assert desk.releases == []
