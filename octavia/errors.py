"""The errors that Octavia raises on purpose.

Each has a stable ``code`` (part of the API), a message that says what is wrong, and a hint that gives the remedy::

    OctaviaError
    ├── InputError            the request or its media is at fault; never retried
    │   ├── NotFound
    │   └── Conflict          the job's state does not allow it
    │       └── CountChanged  a bulk action concerns another number of things than was confirmed
    ├── ModelError            a model is missing, damaged or cannot be fetched
    ├── TaskFailed            the work itself went wrong; retried
    │   └── TimeLimitExceeded
    ├── Unavailable           database, broker or storage does not answer; the attempt does not count
    └── Interrupted           no failure: the task must stop now
        ├── Canceled
        ├── LeaseLost
        └── Stopping
"""

from typing import ClassVar


class OctaviaError(Exception):
    """Base class of all errors.

    Parameters:
      message: The problem, in a sentence for the user.
      code: Stable identifier; None takes the class's.
      hint: The remedy.
      field: The request field at fault, if any.
    """

    code: str = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.field = field


class InputError(OctaviaError):
    """The input or an option is at fault; another attempt would fail too."""

    code = "invalid_input"


class NotFound(InputError):
    """The object does not exist, or its owner is someone else."""

    code = "not_found"


class Conflict(InputError):
    """The job's state does not allow the operation."""

    code = "invalid_state"


class CountChanged(Conflict):
    """A different number of things is concerned than the client confirmed: ``count``."""

    code = "count_changed"

    def __init__(self, count: int, *, expected: int) -> None:
        super().__init__(
            f"This concerns {count:,} now, not {expected:,}.",
            hint="Look at what it concerns now, then send it again with the new count as expected.",
            field="expected",
        )
        self.count = count


class ModelError(OctaviaError):
    """A model is missing or damaged, or cannot be fetched from any of its sources."""

    code = "model_unavailable"


class TaskFailed(OctaviaError):
    """The work failed in a way that another attempt may avoid."""

    code = "task_failed"
    retryable = True


class TimeLimitExceeded(TaskFailed):
    """A task exceeded its soft or hard time limit."""

    code = "time_limit_exceeded"


class Unavailable(OctaviaError):
    """The database, broker or storage does not answer at present.

    Parameters:
      reason: The driver's message, for the log and the command line; it may name hosts and users, so clients of the API
        never see it.
      message, code, hint, field: As for ``OctaviaError``.
    """

    code = "unavailable"

    def __init__(
        self, message: str, *, reason: str = "", code: str | None = None, hint: str = "", field: str | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint, field=field)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.message} {self.reason}".strip()


class Interrupted(OctaviaError):
    """The task must stop between two pieces of work; nothing is wrong with it."""

    code = "interrupted"


class Canceled(Interrupted):
    """The job's owner canceled it."""

    code = "canceled"


class LeaseLost(Interrupted):
    """Another worker holds this task now; this one's result is discarded."""

    code = "lease_lost"


class Stopping(Interrupted):
    """This process is stopping: the task is returned, and the attempt does not count."""

    code = "worker_stopping"
