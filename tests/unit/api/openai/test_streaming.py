from datetime import UTC, datetime
from uuid import uuid4

import pytest

from octavia.api.openai.streaming import InOrder
from octavia.jobs.tables.records import EventRecord

JOB = uuid4()


def segment(chunk: int, text: str) -> EventRecord:
    return EventRecord(JOB, 1, "segment", {"chunk": chunk, "index": 0, "text": text}, datetime.now(UTC))


def stage(chunk: int, status: str = "completed", stage: str = "transcribe") -> EventRecord:
    data = {"stage": stage, "chunk": chunk, "attempt": 1, "status": status}
    return EventRecord(JOB, 1, "stage", data, datetime.now(UTC))


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ([segment(0, "a"), segment(0, "b"), stage(0)], [["a"], ["b"], []]),
        ([segment(1, "c"), segment(0, "a"), stage(0)], [[], ["a"], ["c"]]),
        ([segment(2, "d"), stage(2), stage(1), segment(0, "a"), stage(0)], [[], [], [], ["a"], ["d"]]),
        ([stage(0), segment(1, "b"), segment(1, "c")], [[], ["b"], ["c"]]),
        ([segment(1, "b"), stage(0, "started"), stage(0, stage="translate"), stage(0)], [[], [], [], ["b"]]),
        ([stage(-1, stage="prepare"), stage(0), stage(1), segment(2, "c")], [[], [], [], ["c"]]),
    ],
)
def test_segments_wait_for_the_chunks_before(happened: list[EventRecord], told: list[list[str]]) -> None:
    order = InOrder()
    assert [order.take(event) for event in happened] == told
