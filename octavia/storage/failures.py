"""What file systems and object stores raise, as errors of ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from octavia.errors import NotFound, TaskFailed, Unavailable

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_REMOTE_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec")


class StorageFull(TaskFailed):
    """No space is left; what was being written is gone, everything else is safe."""

    code = "storage_full"


class StorageRefused(TaskFailed):
    """The store answers and does not let us: read-only, or not ours.

    Not an outage, which ends by itself: somebody has to act, and whoever waits for the job should hear of it once the
    attempts are used up.
    """

    code = "storage_refused"


def no_space(error: BaseException) -> bool:
    """Whether writing failed because a disk or quota is full."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def gone(key: str) -> NotFound:
    """The error for an object that is not there."""
    return NotFound(
        f"The stored file {key} is gone.",
        code="artifact_missing",
        hint="Run the job again from the stage that makes it, or submit the recording again if that is what is gone.",
    )


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
        if isinstance(error, PermissionError) or error.errno in _REFUSED:
            raise StorageRefused(
                "The storage refuses to be used.",
                hint="Let the service read and write what OCTAVIA_STORAGE_URL names (owner, mode, read-only mounts, "
                "credentials), then start the job again.",
            ) from error
        raise _unavailable(error) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _REMOTE_LIBRARIES:
            raise _unavailable(error) from error
        raise


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(
        "The storage does not answer.",
        reason=str(error),
        code="storage_unavailable",
        hint="Check that the storage of OCTAVIA_STORAGE_URL is there and can be reached.",
    )
