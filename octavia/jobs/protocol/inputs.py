"""What a job works on, where that is found out while it is worked on."""

from typing import Any
from uuid import UUID

from octavia.jobs.tables.database import Database, retried
from octavia.jobs.tables.transitions import lock_running


@retried
def fetched(db: Database, task_id: UUID, attempt: int, given: dict[str, Any]) -> bool:
    """Note what was fetched for a job that named an address, at once, so that no other attempt need fetch it again.

    The address goes: it may hold a signature, and is of no more use.

    Returns:
      False when the task is no longer this attempt's.
    """
    with db.transaction() as session:
        found = lock_running(session, task_id, attempt)
        if found is None:
            return False
        found[0].input = given
        return True
