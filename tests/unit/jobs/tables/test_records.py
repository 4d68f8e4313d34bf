"""Records are copied from rows by the names of their fields."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavia.jobs.access.idempotency import Recorded
from octavia.jobs.access.keys import KeyRecord
from octavia.jobs.access.webhooks import DeliveryRecord, LeasedDelivery
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import EventRecord, JobRecord, WorkerRecord, copied, is_one_piece, piece_input
from octavia.jobs.tables.rows import ApiKey, Artifact, Event, IdempotencyKey, Job, WebhookDelivery, Worker
from octavia.text.utterances import PIECE_CHARS, split_text

CREATED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("record", "row", "computed"),
    [
        (JobRecord, Job, {"warnings", "error", "expired"}),
        (EventRecord, Event, set()),
        (WorkerRecord, Worker, {"queues"}),
        (ArtifactRecord, Artifact, {"partial"}),
        (KeyRecord, ApiKey, {"scopes"}),
        (DeliveryRecord, WebhookDelivery, {"owner", "next_attempt_at"}),
        (LeasedDelivery, WebhookDelivery, {"attempt", "at", "until"}),
        (Recorded, IdempotencyKey, {"body", "fingerprint"}),
    ],
)
def test_copied_fields_have_the_name_and_type_of_a_column(record: Any, row: Any, computed: set[str]) -> None:
    columns = get_type_hints(row)
    wanted = {name: kind for name, kind in get_type_hints(record).items() if name not in computed}
    assert wanted.keys() | computed == {field.name for field in fields(record)}
    assert wanted == {name: columns.get(name) for name in wanted}


def test_copied_takes_columns_and_computed_values_and_shares_no_dictionary() -> None:
    row = Event(job_id=uuid4(), seq=3, type="progress", data={"progress": 0.5}, created_at=CREATED)
    event = copied(EventRecord, row, seq=4)
    assert (event.seq, event.type, event.created_at) == (4, "progress", CREATED)
    row.data["progress"] = 1.0
    assert event.data == {"progress": 0.5}


def test_a_short_text_is_one_piece_and_a_longer_one_is_none() -> None:
    longest = "ñ" * PIECE_CHARS
    kept = piece_input(longest, filename="a.txt", media_type="text/plain")
    assert kept is not None
    assert is_one_piece(kept)
    assert (kept["text"], kept["size"]) == (longest, 2 * PIECE_CHARS)
    assert piece_input(longest + ".", filename="a.txt", media_type="text/plain") is None


def test_a_text_that_postgresql_cannot_keep_is_no_piece() -> None:
    assert piece_input("a\0b", filename="a.txt", media_type="text/plain") is None


@given(st.text(min_size=1, max_size=PIECE_CHARS))
def test_a_piece_is_never_cut(text: str) -> None:
    assert split_text(text, language="en", longest=PIECE_CHARS) == ([text.strip()] if text.strip() else [])
