"""A job as an actor sees it, without a database."""

from datetime import UTC, datetime
from typing import Any

from octavia.jobs.tables.records import JobRecord
from octavia.jobs.tables.rows import Job
from octavia.jobs.tables.states import JobStatus, JobType

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(type: JobType = JobType.DUB, kind: str = "media", **columns: Any) -> JobRecord:
    """A job that is worked on, with these columns of its row."""
    given = {"owner": "local", "source_language": "en", "target_language": "es", "status": JobStatus.PROCESSING}
    return JobRecord.from_row(Job(type=type, input={"kind": kind}, created_at=_NOW, **{**given, **columns}))
