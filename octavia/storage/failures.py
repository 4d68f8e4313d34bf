"""Turn the exceptions of file systems and object stores into Octavia's errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from octavia.errors import NotFound, TaskFailed, Unavailable
from octavia.urls import without_logins

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_REMOTE_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec")


class StorageFull(TaskFailed):
    """No space is left; the unfinished object is discarded, everything else is safe."""

    code = "storage_full"


class StorageRefused(TaskFailed):
    """The storage answers, but refuses access: it is read-only, or belongs to someone else.

    Unlike an outage, it does not end by itself: an operator must act, so the job fails once its attempts are used up.
    """

    code = "storage_refused"


def no_space(error: BaseException) -> bool:
    """Return whether writing failed because a disk or quota is full."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def gone(key: str) -> NotFound:
    """Make the error for an object that does not exist."""
    return NotFound(
        f"The stored file {key} is gone.",
        code="artifact_missing",
        hint="Run the job again from the stage that makes it, or submit the recording again if it is the one gone.",
    )


@contextmanager
def failures(key: str, *, writing: bool = False) -> Iterator[None]:
    """Turn exceptions of the block into Octavia's errors.

    Parameters:
      key: The object, for the error.
      writing: A missing file then means that the storage is unavailable, not that the object is gone.

    Raises:
      NotFound: ``artifact_missing``.
      StorageFull: The disk or quota is full.
      StorageRefused: Octavia has no access.
      Unavailable: ``storage_unavailable``: any other failure of the storage.
    """
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
                "The storage refuses access.",
                hint="Give the service read and write access to OCTAVIA_STORAGE_URL (owner, mode, read-only mounts, "
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
        reason=without_logins(str(error)),
        code="storage_unavailable",
        hint="Check that the storage of OCTAVIA_STORAGE_URL exists and can be reached.",
    )
