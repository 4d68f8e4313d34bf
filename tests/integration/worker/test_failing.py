"""Workers that die whenever they are started, as from a broken installation."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from octavia import programs
from octavia.errors import Unavailable
from octavia.jobs.status import workers
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.web import create_app
from octavia.worker.supervisor import Supervisor, WorkersFailing
from tests.integration.worker.commands import CHILD, QUEUES
from tests.support.waiting import until


def test_workers_that_die_at_every_start_are_told_of(sqlite_url: str, tmp_path: Path) -> None:
    # Given workers that cannot start until something is mended
    mended = tmp_path / "mended.py"
    dying = (*programs.script(tmp_path / "worker.py"), CHILD[-1])
    (tmp_path / "worker.py").write_text(
        f"import os, pathlib, runpy, sys\n"
        f"if not pathlib.Path({str(mended)!r}).exists(): sys.exit('libfoo.so is missing')\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    settings = Settings(data_dir=tmp_path, database_url=sqlite_url, sweep_seconds=0.2, stop_grace_seconds=5)
    database = Database(sqlite_url)
    supervisor = Supervisor(settings, QUEUES, 2, deliver=False, command=dying)
    supervisor.start()
    try:
        # When they have died three times each
        with pytest.raises(WorkersFailing) as failing:
            until(lambda: supervisor.poll(0.05) or supervisor.check())
        # Then whoever waits for them learns how, and what they said last
        assert "exit code 1" in failing.value.message
        assert "libfoo.so is missing" in failing.value.hint
        # And the service is not ready, with the reason
        until(lambda: supervisor.poll(0.05) or workers.list_workers(database))
        assert {worker.pid for worker in workers.list_workers(database)} == {0}
        with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
            answer = client.get("/readyz")
            assert answer.status_code == 503
            assert "workers_failing" in [check.get("code") for check in answer.json()["checks"].values()]
        # But once it is mended, they come up, and all is well
        mended.touch()
        until(lambda: supervisor.poll(0.05) or any(worker.memory for worker in workers.list_workers(database)))
        workers.check(database)
    finally:
        supervisor.stop(5)
        database.close()


def test_workers_of_which_one_lives_are_no_reason_to_despair(database: Database) -> None:
    # Given a worker that dies at every start, and one that lives
    workers.mark_seen(database, "host:0:all-0", "host", 0, (), None, 0)
    with pytest.raises(Unavailable, match="as soon as they are started"):
        workers.check(database)
    workers.mark_seen(database, "host:17:all-1", "host", 17, QUEUES, None, 1)
    # When they are looked at, then jobs will be done
    workers.check(database)
