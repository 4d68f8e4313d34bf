"""The evidence of a run that has missed something: the rows of the jobs concerned, beside the logs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import Artifact, Event, Job, Task


def keep(database: Database, folder: Path, misses: Iterable[str], jobs: Iterable[UUID]) -> None:
    """Write the misses and, for each of these jobs, its rows."""
    folder.mkdir(exist_ok=True)
    (folder / "misses.txt").write_text("".join(f"{miss}\n" for miss in misses))
    with database.reading() as session:
        for job_id in jobs:
            found: dict[str, Any] = {
                "job": [_shown(row) for row in session.scalars(sa.select(Job).where(col(Job.id) == job_id))]
            }
            for model in (Task, Artifact, Event):
                rows = session.scalars(sa.select(model).where(col(model.job_id) == job_id))
                found[model.__tablename__] = [_shown(row) for row in rows]
            (folder / f"{job_id}.json").write_text(json.dumps(found, indent=1, default=str))


def _shown(row: SQLModel) -> dict[str, Any]:
    return {name: value for name, value in row.model_dump().items() if name != "message"}
