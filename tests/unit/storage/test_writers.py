"""An object store shows and keeps nothing of an object that was given up, and little of one waits in memory."""

from collections.abc import Iterator

import pytest
from s3fs import S3FileSystem

from octavia.storage import Storage
from tests.support.s3 import S3Server

BLOCK = b"x" * 1024 * 1024


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with S3Server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        # A client that was made before knows another server.
        S3FileSystem.clear_instance_cache()
        yield server
    S3FileSystem.clear_instance_cache()


def test_an_upload_in_parts_that_is_given_up_is_aborted(s3: S3Server) -> None:
    # Given an object on S3 of which two parts are there
    writer = Storage("s3://bucket/octavia").writer("jobs/1/a")
    writer.open()
    for _ in range(17):
        writer.write(BLOCK)
    assert [sum(map(len, parts.values())) for parts in s3.parts.values()] == [16 * len(BLOCK)]
    # When it is given up, then they are gone, and there is no object
    writer.discard()
    assert (s3.parts, s3.objects) == ({}, {})


def test_an_upload_in_parts_that_is_finished_is_there(s3: S3Server) -> None:
    storage = Storage("s3://bucket/octavia")
    stored = storage.put("jobs/1/a", [BLOCK] * 17)
    assert stored.size == 17 * len(BLOCK)
    assert {path: len(data) for path, data in s3.objects.items()} == {"/bucket/octavia/jobs/1/a": 17 * len(BLOCK)}
    assert s3.parts == {}
