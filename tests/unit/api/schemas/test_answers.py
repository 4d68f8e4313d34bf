"""Answers show what is in the records, under the same names and with the same types."""

import dataclasses
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from octavia.api.resources.keys import KeyOut, NewKeyOut
from octavia.api.resources.webhooks import DeliveryOut
from octavia.api.schemas.answers import ArtifactOut, ErrorOut, JobOut, StatusOut, from_record
from octavia.jobs.access.keys import KeyRecord
from octavia.jobs.access.webhooks import DeliveryRecord
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.jobs.tables.records import ErrorRecord, JobRecord


@pytest.mark.parametrize(
    ("model", "record", "others", "converted"),
    [
        (JobOut, JobRecord, {"metadata", "priority", "links", "trace_id"}, {"input", "warnings", "error", "dub"}),
        (
            StatusOut,
            JobRecord,
            {"metadata", "queue_position", "expected_seconds", "stages"},
            {"error", "dub"},
        ),
        (ErrorOut, ErrorRecord, set(), set()),
        (ArtifactOut, ArtifactRecord, {"url"}, set()),
        (DeliveryOut, DeliveryRecord, set(), set()),
        (KeyOut, KeyRecord, {"scopes"}, set()),
        (NewKeyOut, KeyRecord, {"scopes", "key"}, set()),
    ],
)
def test_from_record_finds_each_field(
    model: type[BaseModel], record: type[Any], others: set[str], converted: set[str]
) -> None:
    # Given the fields that an answer copies from a record
    copied = {name: field.annotation for name, field in model.model_fields.items() if name not in others}
    # Then the record has all of them, and those that are not converted have the same type
    types = get_type_hints(record)
    assert copied.keys() <= types.keys()
    assert {name for name, type_ in copied.items() if types[name] != type_} == converted


def test_from_record_prefers_given_values() -> None:
    # Given a model and a record that differ in one value
    @dataclasses.dataclass
    class Record:
        a: int
        b: int

    class Model(BaseModel):
        a: int
        b: int

    # Then that value is the one that is given
    assert from_record(Model, Record(1, 2), b=3) == Model(a=1, b=3)
