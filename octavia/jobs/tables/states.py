"""The words and the state machines of jobs and tasks, and which stages a job goes through."""

from enum import StrEnum

from octavia.errors import Conflict


class JobType(StrEnum):
    """What a client can ask for."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    DUB = "dub"


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """Whether such a job stays as it is until somebody asks for another run."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED)


class TaskStatus(StrEnum):
    """Where one task of a job stands."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class Stage(StrEnum):
    """The steps of the pipeline; also the names of the actors."""

    PREPARE = "prepare"
    DETECT = "detect"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    ASSEMBLE = "assemble"


class Queue(StrEnum):
    """The queues, by the names that settings, CLI and docs use."""

    DEFAULT = "default"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    MAINTENANCE = "maintenance"


class DeliveryStatus(StrEnum):
    """Where a webhook stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Priority(StrEnum):
    """How urgent a job is among those that wait."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def level(self) -> int:
        """The broker's number, 1–3; higher is sooner."""
        return {"low": 1, "normal": 2, "high": 3}[self.value]


class Background(StrEnum):
    """What becomes of the original's sound under a dub."""

    KEEP = "keep"
    DUCK = "duck"
    NONE = "none"


class AudioTracks(StrEnum):
    """Whether a dub goes beside a film's own sound or in its place."""

    ADD = "add"
    REPLACE = "replace"


WHOLE_JOB = -1
"""The chunk number of tasks that concern the whole job: prepare, detect, assemble."""

PLAIN_FORMAT = 1
"""The format of a job's messages that every release can work on."""

EDITS_FORMAT = 2
"""That of a job whose utterances people have mended, or which began with subtitles: older releases know of neither."""

_JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.QUEUED, JobStatus.CANCELED}),
    JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.CANCELED, JobStatus.FAILED}),
    JobStatus.PROCESSING: frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED}),
    JobStatus.COMPLETED: frozenset({JobStatus.QUEUED}),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELED: frozenset({JobStatus.QUEUED}),
}
_TASK_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.WAITING: frozenset({TaskStatus.QUEUED, TaskStatus.CANCELED}),
    TaskStatus.QUEUED: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELED}),
    TaskStatus.RUNNING: frozenset({TaskStatus.QUEUED, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELED: frozenset(),
}


def can_move_job(old: JobStatus, new: JobStatus) -> bool:
    """Whether a job may move from ``old`` to ``new``."""
    return new in _JOB_MOVES[old]


def can_move_task(old: TaskStatus, new: TaskStatus) -> bool:
    """Whether a task may move from ``old`` to ``new``."""
    return new in _TASK_MOVES[old]


def check_job_move(old: JobStatus, new: JobStatus) -> None:
    """Raise ``Conflict`` unless a job may move from ``old`` to ``new``."""
    if not can_move_job(old, new):
        raise Conflict(f"A job that is {old} cannot become {new}.")


def check_task_move(old: TaskStatus, new: TaskStatus) -> None:
    """Raise ``Conflict`` unless a task may move from ``old`` to ``new``."""
    if not can_move_task(old, new):
        raise Conflict(f"A task that is {old} cannot become {new}.")


TEXT_KINDS = ("text", "subtitles")
"""The kinds of input in which what is said is written down already."""


def chunk_stages(type_: JobType, *, from_text: bool) -> tuple[Stage, ...]:
    """The stages that every chunk of such a job goes through, in order.

    Raises:
      ValueError: For a job that text cannot feed (transcribe) or media cannot (synthesize).
    """
    stages = {
        (JobType.TRANSCRIBE, False): (Stage.TRANSCRIBE,),
        (JobType.TRANSLATE, False): (Stage.TRANSCRIBE, Stage.TRANSLATE),
        (JobType.TRANSLATE, True): (Stage.TRANSLATE,),
        (JobType.SYNTHESIZE, True): (Stage.SYNTHESIZE,),
        (JobType.DUB, False): (Stage.TRANSCRIBE, Stage.TRANSLATE, Stage.SYNTHESIZE),
        (JobType.DUB, True): (Stage.TRANSLATE, Stage.SYNTHESIZE),
    }
    try:
        return stages[type_, from_text]
    except KeyError:
        raise ValueError(f"{type_} does not take {'text' if from_text else 'media'}") from None


def queue_of(stage: Stage) -> Queue:
    """The queue whose workers run a stage; whole-job stages share ``default``."""
    try:
        return Queue(stage.value)
    except ValueError:
        return Queue.DEFAULT
