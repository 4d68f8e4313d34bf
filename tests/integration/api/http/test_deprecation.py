"""The old, blocking endpoint announces its end to clients; waiting itself stays."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app

TEXT = {"type": "translate", "source_language": "en", "target_language": "es", "text": "Good morning."}
NOTICE = {"deprecation", "sunset", "link"}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url  # which database it is does not matter here


@pytest.fixture
def announcing(settings: Settings, database: Database, storage: Storage) -> Iterator[TestClient]:
    dated = settings.model_copy(update={"sync_sunset": "2027-06-30"})
    with TestClient(create_app(dated, database=database, storage=storage), base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("preference", [{}, {"prefer": "wait=0"}])
def test_the_old_endpoint_announces_its_sunset(announcing: TestClient, preference: dict[str, str]) -> None:
    # Given a job, which is submitted without a word about any date
    submitted = announcing.post("/api/v1/jobs", json=TEXT, headers=preference)
    assert not NOTICE & submitted.headers.keys()
    job = f"/api/v1/jobs/{submitted.json()['id']}"
    # When it is started the old way, waiting or not
    answer = announcing.post(f"{job}/process", headers=preference)
    # Then the date is told, and the preference honoured as before
    assert answer.status_code == 202
    assert answer.headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert answer.headers["deprecation"].startswith("@")
    assert ("preference-applied" in answer.headers) == bool(preference)
    # And what it leads to is there
    assert announcing.get(answer.links["deprecation"]["url"]).status_code == 200
    # And the new way says nothing
    assert not NOTICE & announcing.post(f"{job}/process-async").headers.keys()


def test_the_old_endpoint_announces_nothing_without_a_date(client: TestClient) -> None:
    job = client.post("/api/v1/jobs", json=TEXT).json()["id"]
    assert not NOTICE & client.post(f"/api/v1/jobs/{job}/process").headers.keys()
