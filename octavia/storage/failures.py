"""What file systems and object stores raise, as errors of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from octavia.errors import NotFound, OctaviaError, Unavailable

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REMOTE_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec")


class StorageFull(OctaviaError):
    """No space is left; what was being written is gone, everything else is safe."""

    code = "storage_full"


def no_space(error: BaseException) -> bool:
    """Whether writing failed because a disk or quota is full."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def gone(key: str) -> NotFound:
    """The error for an object that is not there."""
    return NotFound(f"The stored file {key} is gone.", code="artifact_missing")


@contextmanager
def failures(key: str, *, writing: bool = False) -> Iterator[None]:
    """Turn what file systems and object stores raise into our own errors."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise gone(key) from error
        if no_space(error):
            raise StorageFull(
                "The storage is full.", hint="Free space or raise the quota, then start the job again."
            ) from error
        raise Unavailable(f"The storage does not answer: {error}", code="storage_unavailable") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _REMOTE_LIBRARIES:
            raise Unavailable(f"The storage does not answer: {error}", code="storage_unavailable") from error
        raise
