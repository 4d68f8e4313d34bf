import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

from octavia.api.resources.archives import archive, etag
from octavia.jobs.tables.queries import ArtifactRecord

MIB = 1024 * 1024
WAV = ArtifactRecord("dub.wav", "audio/wav", 20 * MIB, "a" * 64, "big", 1, datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC))
TEXT = ArtifactRecord("a.txt", "text/plain", 6, "b" * 64, "small", 1, datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC))


class Objects:
    """Storage that counts what was read of it."""

    def __init__(self) -> None:
        self.read = 0

    def open(self, key: str) -> io.BytesIO:
        return Counted(self, b"Hello." if key == "small" else bytes(20 * MIB))


class Counted(io.BytesIO):
    def __init__(self, objects: Objects, data: bytes) -> None:
        super().__init__(data)
        self._objects = objects

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._objects.read += len(data)
        return data


def test_no_more_is_read_than_is_sent() -> None:
    # Given a large result
    objects = Objects()
    blocks = archive(objects, [WAV])  # type: ignore[arg-type]
    # When its archive is sent, block by block
    sent = 0
    for block in blocks:
        sent += len(block)
        # Then at most a block is in memory
        assert objects.read - sent < MIB
        assert len(block) < MIB
    assert sent > 20 * MIB


def test_an_archive_is_read_by_others_with_names_and_times() -> None:
    data = b"".join(archive(Objects(), [TEXT, WAV]))  # type: ignore[arg-type]
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == ["a.txt", "dub.wav"]
        assert zipped.getinfo("dub.wav").date_time == (2026, 3, 4, 5, 6, 8)
        assert zipped.getinfo("dub.wav").file_size == 20 * MIB
        assert zipped.read("a.txt") == b"Hello."


def test_etag_differs_for_different_files() -> None:
    assert etag([TEXT, WAV]) != etag([TEXT])
    assert etag([TEXT]) != etag([replace(TEXT, sha256="c" * 64)])
    assert etag([TEXT]) == etag([TEXT])
