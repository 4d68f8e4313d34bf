"""All results of a job in one zip file, which is made while it is sent and never stored."""

import hashlib
import zipfile
from collections.abc import Generator, Sequence

from octavia.jobs.tables import contents
from octavia.jobs.tables.queries import ArtifactRecord
from octavia.storage import Storage

MEDIA_TYPE = "application/zip"

_BLOCK = 256 * 1024
_STORED_TYPES = ("audio/", "video/")


def etag(artifacts: Sequence[ArtifactRecord]) -> str:
    """Return an entity tag for these files, without quotes."""
    return hashlib.sha256("\n".join(f"{file.name} {file.sha256}" for file in artifacts).encode()).hexdigest()


def archive(storage: Storage, artifacts: Sequence[ArtifactRecord]) -> Generator[bytes, None, None]:
    """Yield the zip file in blocks. Text is compressed; sound and video, which hardly shrink, are stored.

    Raises ``NotFound`` (``artifact_missing``).
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as zipped:
        for artifact in artifacts:
            with contents.opened(storage, artifact) as source, zipped.open(_entry(artifact), "w") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield sink.take()
    yield sink.take()


def _entry(artifact: ArtifactRecord) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(artifact.name, artifact.created_at.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_STORED if artifact.media_type.startswith(_STORED_TYPES) else zipfile.ZIP_DEFLATED
    # Decides whether lengths take 64 bits.
    entry.file_size = artifact.size
    entry.external_attr = 0o644 << 16
    return entry


class _Sink:
    """Collects the bytes written since the last ``take``; not seekable, so that zipfile never rewrites any."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        taken, self._data = bytes(self._data), bytearray()
        return taken
