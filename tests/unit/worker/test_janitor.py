import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from octavia.errors import Unavailable
from octavia.jobs import claims
from octavia.jobs.database import Database
from octavia.settings import Settings
from octavia.worker import janitor as module
from octavia.worker.janitor import Janitor

_RENEW = 0.2


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def test_after_an_outage_the_living_may_renew_before_leases_count(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a database that is away when leases are looked at
    looks: list[float] = []

    def expire(*_: object, **__: object) -> list[Any]:
        looks.append(time.monotonic())
        if len(looks) == 1:
            raise Unavailable("away", code="database_unavailable")
        return []

    monkeypatch.setattr(claims, "expire_leases", expire)
    monkeypatch.setattr(module, "_OUTAGE_PAUSE", 0.01)
    janitor = Janitor(Settings(sweep_seconds=0.01, lease_renew_seconds=_RENEW), db, cast(Any, None))
    # When it is back
    janitor.start()
    deadline = time.monotonic() + 10
    while len(looks) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    janitor.stop(1)
    # Then leases count only once every worker has had the time to renew its own, and from then on as ever
    assert looks[1] - looks[0] >= 2 * _RENEW
    assert looks[2] - looks[1] < 2 * _RENEW
