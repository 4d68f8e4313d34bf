"""Two schedulers: everything is asked for twice, and done as if it were once."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from octavia.jobs.tables.rows import Job, OutboxMessage
from octavia.jobs.tables.states import Queue
from tests.integration.faults.killing import Doomed

_PERIODIC = {"expire_results", "sweep_deleted", "sweep_orphans", "prune", "report"}


@pytest.mark.long
def test_two_schedulers_do_no_harm(embedded: Doomed) -> None:
    # Given a job past its time and one that is not, and two workers for whatever is periodic
    old, new = embedded.submit(), embedded.submit()
    embedded.start((*Queue,))
    embedded.until_completed(old, new)
    past = datetime.now(UTC) - timedelta(minutes=1)
    with embedded.db.transaction() as session:
        session.execute(sa.update(Job).where(col(Job.id) == old).values(expires_at=past))
    # When two schedulers start, with everything due
    for name in ("one", "another"):
        embedded.spawn(name, module="schedulers")

    def asked() -> list[str]:
        periodic = sa.select(OutboxMessage).where(
            col(OutboxMessage.queue) == Queue.MAINTENANCE, col(OutboxMessage.published_at).is_not(None)
        )
        with embedded.db.reading() as session:
            return [row.message.decode() for row in session.scalars(periodic)]

    embedded.until(lambda: all(sum(f'"{name}"' in text for text in asked()) >= 2 for name in _PERIODIC), 150)
    # Then the old job's files are gone and the other's are there
    assert [job for job in (old, new) if any(str(job) in key for key, _ in embedded.storage.keys("jobs"))] == [new]
    assert embedded.job(old).expired
    # And nothing else went wrong
    embedded.check(new)
