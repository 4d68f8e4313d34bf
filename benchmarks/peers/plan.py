"""FastAPI + Celery + Redis: a text in three stages, acknowledged late, with a row for each stage.

``celery -A plan:celery worker`` and ``uvicorn plan:app``, with ``PLAN_REDIS`` and ``PLAN_DATABASE``. ``POST
/jobs/empty`` and ``POST /jobs/translator`` make a job whose second stage does nothing, or translates as Octavia does.
"""

import functools
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from celery import Celery, chain
from fastapi import FastAPI, Response
from psycopg_pool import ConnectionPool

_TABLES = """
CREATE TABLE IF NOT EXISTS plan_jobs (
    id uuid PRIMARY KEY, text text, translation text, status text NOT NULL, created_at timestamptz DEFAULT now());
CREATE TABLE IF NOT EXISTS plan_stages (
    job uuid REFERENCES plan_jobs, stage text, status text NOT NULL, started_at timestamptz DEFAULT now(),
    finished_at timestamptz, PRIMARY KEY (job, stage));
"""

celery = Celery("plan", broker=os.environ["PLAN_REDIS"])
celery.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)
app = FastAPI()


@functools.cache
def database() -> ConnectionPool:
    """The connections of this process."""
    pool = ConnectionPool(os.environ["PLAN_DATABASE"], max_size=10, open=True)
    with pool.connection() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(14)")
        connection.execute(_TABLES)
    return pool


@functools.cache
def translator() -> Any:
    """Octavia's translator with its bundled model, once for each process."""
    from octavia.catalog import Catalog, Store, select
    from octavia.engines import load
    from octavia.settings import Settings

    settings = Settings()
    store = Store.of(settings)
    leg = select.route(Catalog.load(settings), store, "en", "es")[0]
    return load.keeping(load.translator(store.path(leg.model), source="en", target="es", threads=1), {}, source="en")


def stage(work: Callable[[str, str], None]) -> Any:
    """Make a task of a stage: its row says when it began and when it was done."""

    @celery.task(name=work.__name__)
    def run(job: str, how: str) -> None:
        with database().connection() as connection:
            connection.execute(
                "INSERT INTO plan_stages (job, stage, status) VALUES (%s, %s, 'running') ON CONFLICT DO NOTHING",
                (job, work.__name__),
            )
        work(job, how)
        with database().connection() as connection:
            connection.execute(
                "UPDATE plan_stages SET status = 'completed', finished_at = now() WHERE job = %s AND stage = %s",
                (job, work.__name__),
            )

    return run


@stage
def prepare(job: str, how: str) -> None:
    """Nothing is to be prepared."""


@stage
def translate(job: str, how: str) -> None:
    """Translate, if the job is to be translated."""
    if how == "translator":
        with database().connection() as connection:
            (text,) = connection.execute("SELECT text FROM plan_jobs WHERE id = %s", (job,)).fetchone() or ("",)
        translated = translator().translate([text])[0]
        with database().connection() as connection:
            connection.execute("UPDATE plan_jobs SET translation = %s WHERE id = %s", (translated, job))


@stage
def assemble(job: str, how: str) -> None:
    """Say that the job is done."""
    with database().connection() as connection:
        connection.execute("UPDATE plan_jobs SET status = 'completed' WHERE id = %s", (job,))


@app.post("/jobs/{how}", status_code=202)
def submit(how: str, request: dict[str, Any], response: Response) -> dict[str, str]:
    """Make a job."""
    job = str(uuid4())
    with database().connection() as connection:
        connection.execute("INSERT INTO plan_jobs (id, text, status) VALUES (%s, %s, 'queued')", (job, request["text"]))
    chain(prepare.si(job, how), translate.si(job, how), assemble.si(job, how)).delay()
    response.headers["location"] = f"/jobs/{job}"
    return {"id": job}


@app.get("/jobs/{job}")
def show(job: str) -> dict[str, str]:
    """Tell how far a job is."""
    with database().connection() as connection:
        (status,) = connection.execute("SELECT status FROM plan_jobs WHERE id = %s", (job,)).fetchone() or ("missing",)
    return {"id": job, "status": status}
