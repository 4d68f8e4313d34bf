"""The states of jobs and tasks with their legal moves, and the stages of each type of job."""

from enum import StrEnum

from octavia.errors import Conflict


class JobType(StrEnum):
    """The types of job that a client can request."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    DUB = "dub"


class JobStatus(StrEnum):
    """The state of a job."""

    PENDING = "pending"
    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def ended(self) -> bool:
        """True if the job stays in this state until another run is requested."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED)


class TaskStatus(StrEnum):
    """The state of a task."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class Stage(StrEnum):
    """The stages of the pipeline; also the names of the actors."""

    PREPARE = "prepare"
    DETECT = "detect"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    ASSEMBLE = "assemble"


class Queue(StrEnum):
    """The logical queues, as settings, CLI and docs name them."""

    DEFAULT = "default"
    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    SYNTHESIZE = "synthesize"
    MAINTENANCE = "maintenance"


JOB_QUEUES = tuple(queue for queue in Queue if queue is not Queue.MAINTENANCE)
"""The queues of jobs' tasks."""


class DeliveryStatus(StrEnum):
    """The state of a webhook delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Priority(StrEnum):
    """The urgency of a waiting job."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def level(self) -> int:
        """The broker's number, 1–3; higher is sooner."""
        return {"low": 1, "normal": 2, "high": 3}[self.value]


class Background(StrEnum):
    """The treatment of the original sound under a dub."""

    KEEP = "keep"
    DUCK = "duck"
    NONE = "none"


class AudioTracks(StrEnum):
    """The place of a dub in a film: beside the original sound track, or instead of it."""

    ADD = "add"
    REPLACE = "replace"


WHOLE_JOB = -1
"""The chunk number of tasks that concern the whole job: prepare, detect, assemble."""

PLAIN_FORMAT = 1
"""The message format of jobs that every release can work on."""

EDITS_FORMAT = 2
"""The message format of jobs with edited utterances, subtitles as input or a chosen sound track.

Older releases do not know these.
"""

EARLY_FORMAT = 3
"""The message format of jobs whose chunks are worked on while ``prepare`` still reads the recording.

Older releases take the number of chunks to be known when they do a chunk's task.
"""

ONE_PIECE_FORMAT = 4
"""The message format of texts of one piece, which have neither ``prepare`` nor, usually, ``assemble``.

Older releases would wait for both.
"""

JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.QUEUED, JobStatus.CANCELED}),
    JobStatus.QUEUED: frozenset({JobStatus.PROCESSING, JobStatus.CANCELED, JobStatus.FAILED}),
    JobStatus.PROCESSING: frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED}),
    JobStatus.COMPLETED: frozenset({JobStatus.QUEUED}),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELED: frozenset({JobStatus.QUEUED}),
}
"""The states that a job may move to, by its state."""

TASK_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.WAITING: frozenset({TaskStatus.QUEUED, TaskStatus.CANCELED}),
    TaskStatus.QUEUED: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELED}),
    TaskStatus.RUNNING: frozenset({TaskStatus.QUEUED, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELED: frozenset(),
}
"""The states that a task may move to, by its state."""


def check_job_move(old: JobStatus, new: JobStatus) -> None:
    """Raise ``Conflict`` unless a job may move from ``old`` to ``new``."""
    if new not in JOB_MOVES[old]:
        raise Conflict(f"A job that is {old} cannot become {new}.")


def check_task_move(old: TaskStatus, new: TaskStatus) -> None:
    """Raise ``Conflict`` unless a task may move from ``old`` to ``new``."""
    if new not in TASK_MOVES[old]:
        raise Conflict(f"A task that is {old} cannot become {new}.")


TEXT_KINDS = ("text", "subtitles")
"""The kinds of input that need no speech recognition."""


def chunk_stages(type_: JobType, *, from_text: bool) -> tuple[Stage, ...]:
    """Return the stages that every chunk of such a job goes through, in order.

    Raises ``ValueError`` if this type does not take text (transcribe) or media (synthesize).
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
    """Return the queue of a stage; stages of the whole job share ``default``."""
    try:
        return Queue(stage.value)
    except ValueError:
        return Queue.DEFAULT


class AttemptOutcome(StrEnum):
    """The end of one try of a task. All but ``given_back`` count towards the limit of attempts."""

    COMPLETED = "completed"
    RETRYING = "retrying"
    FAILED = "failed"
    CANCELED = "canceled"
    GIVEN_BACK = "given_back"


class PauseMode(StrEnum):
    """The two ways to obey a pause: workers wait with their models loaded, or end after the task in hand."""

    PAUSE = "pause"
    DRAIN = "drain"
