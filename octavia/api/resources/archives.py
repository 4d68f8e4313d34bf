"""All results of a job in one zip file, which is made while it is sent and never whole anywhere."""

import hashlib
import zipfile
from collections.abc import Generator, Sequence

from octavia.jobs.tables.queries import ArtifactRecord
from octavia.storage import Storage

MEDIA_TYPE = "application/zip"

_BLOCK = 256 * 1024
_SMALL = ("audio/", "video/")


def etag(artifacts: Sequence[ArtifactRecord]) -> str:
    """Another for other files, without quotes."""
    return hashlib.sha256("\n".join(f"{file.name} {file.sha256}" for file in artifacts).encode()).hexdigest()


def archive(storage: Storage, artifacts: Sequence[ArtifactRecord]) -> Generator[bytes, None, None]:
    """The zip file, block by block.

    Text is compressed; sound and pictures would hardly get smaller, and is stored as it is.

    Raises:
      NotFound: ``artifact_missing``.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as zipped:
        for artifact in artifacts:
            with storage.open(artifact.storage_key) as source, zipped.open(_entry(artifact), "w") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield sink.take()
    yield sink.take()


def _entry(artifact: ArtifactRecord) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(artifact.name, artifact.created_at.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_STORED if artifact.media_type.startswith(_SMALL) else zipfile.ZIP_DEFLATED
    # Known beforehand, it decides whether lengths get 64 bits.
    entry.file_size = artifact.size
    entry.external_attr = 0o644 << 16
    return entry


class _Sink:
    """What was written since it was taken last; not seekable, so that nothing has to be kept for corrections."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """There is nothing to flush."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken, self._data = bytes(self._data), bytearray()
        return taken
