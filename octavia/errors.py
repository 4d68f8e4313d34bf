"""Every error Octavia raises on purpose.

Each has a stable ``code`` (part of the API), a message that names what was wrong and a hint that says how to mend it::

    OctaviaError
    ├── InputError            the request or its media is at fault; never retried
    │   ├── NotFound
    │   └── Conflict          the job's state does not allow it
    ├── ModelError            a model is missing, damaged or cannot be fetched
    ├── TaskFailed            the work itself went wrong; retried
    │   └── TimeLimitExceeded
    ├── Unavailable           database, broker or storage does not answer; the attempt is given back
    └── Interrupted           not a failure: the task must stop now
        ├── Canceled
        ├── LeaseLost
        └── Stopping
"""

from typing import ClassVar


class OctaviaError(Exception):
    """Base of the tree.

    Parameters:
      message: What went wrong, in a sentence, for the user.
      code: Stable identifier; defaults to the class's own.
      hint: How to mend it.
      field: The request field at fault, if one is.
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
    """The input or an option is at fault; trying again gives the same."""

    code = "invalid_input"


class NotFound(InputError):
    """No such thing, or none that this owner may see."""

    code = "not_found"


class Conflict(InputError):
    """The job's state does not allow the operation."""

    code = "invalid_state"


class ModelError(OctaviaError):
    """A model is missing, damaged, or none of its sources could be read."""

    code = "model_unavailable"


class TaskFailed(OctaviaError):
    """The work went wrong in a way that another attempt may mend."""

    code = "task_failed"
    retryable = True


class TimeLimitExceeded(TaskFailed):
    """The soft or the hard time limit of a task has passed."""

    code = "time_limit_exceeded"


class Unavailable(OctaviaError):
    """Database, broker or storage does not answer for now.

    Parameters:
      reason: What its driver says, for the log and the command line: it may name hosts and users, so no client of the
        API gets to see it. The rest as for ``OctaviaError``.
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
    """The task must stop between two pieces; nothing is wrong with it."""

    code = "interrupted"


class Canceled(Interrupted):
    """The job's owner canceled it."""

    code = "canceled"


class LeaseLost(Interrupted):
    """Another worker holds this task now: what we have is discarded."""

    code = "lease_lost"


class Stopping(Interrupted):
    """This process was told to stop: the task and its attempt go back."""

    code = "worker_stopping"
