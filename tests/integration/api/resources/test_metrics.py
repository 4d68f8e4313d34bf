"""``/metrics`` of the API: who may read it, in which formats, and labels that strangers cannot make up."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from octavia.metrics import declared, measures
from octavia.metrics.measures import REGISTRY
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.keyed import Keyed
from tests.support.metrics import counted, value

JOBS = "/api/v1/jobs"
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough: the queries are tested beside where they are."""
    database = Database(sqlite_url)
    yield database
    database.close()


def requests(method: str, route: str, status: int) -> float:
    return counted("octavia_http_requests_total", method=method, route=route, status=str(status))


def test_it_takes_a_key_with_the_scope(keyed: Keyed) -> None:
    # Given an API that asks for keys
    # When others ask, then they are refused
    assert keyed.anonymous().get("/metrics").status_code == 401
    refused = keyed.client(scopes=(Scope.READ, Scope.WRITE)).get("/metrics")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    # When an operator asks, then it is answered
    assert keyed.client(scopes=(Scope.OPERATE,)).get("/metrics").status_code == 200
    # And refusals are counted by their routes, too
    assert requests("GET", "/metrics", 401) >= 1
    assert requests("GET", "/metrics", 403) >= 1


def test_it_shows_the_process_and_the_figures(client: TestClient) -> None:
    # Given a service with a job
    assert client.post(JOBS, json=TEXT).status_code == 202
    # When its metrics are read
    answer = client.get("/metrics")
    # Then they are what Prometheus reads, with the figures of the database
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    assert value(answer.text, "octavia_database_up") == 1
    assert value(answer.text, "octavia_jobs", status="queued") == 1
    assert value(answer.text, "octavia_queue_depth", queue="translate") == 1
    assert (value(answer.text, "octavia_disk_free_bytes", mount="storage") or 0) > 0
    assert (value(answer.text, "process_resident_memory_bytes") or 0) > 0


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        ("application/openmetrics-text", "application/openmetrics-text"),
        ("text/html, */*", "text/plain"),
        ("application/openmetrics-text; version=x", "text/plain"),
        ("application/openmetrics-text; version=" + "9" * 5000, "text/plain"),
        ("application/openmetrics-text; escaping=; version=1.0.0;" + "," * 5000, "application/openmetrics-text"),
    ],
)
def test_it_comes_in_the_format_that_is_asked_for(client: TestClient, accept: str, media_type: str) -> None:
    # Given a client that accepts something, even nonsense
    answer = client.get("/metrics", headers={"accept": accept})
    # Then it gets a format that Prometheus knows
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == media_type


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient) -> None:
    # Given requests of every kind
    before = {
        (method, route, status): requests(method, route, status)
        for method, route, status in (
            ("POST", JOBS, 202),
            ("GET", "/api/v1/jobs/{job_id}", 404),
            ("GET", "other", 404),
            ("other", "/api/v1/jobs", 405),
            ("PUT", "/healthz", 405),
        )
    }
    # When they come
    client.post(JOBS, json=TEXT)
    client.get(f"{JOBS}/nonsense")
    for path in ("/wp-login.php", "/api/v1/nothing", "/%00", "/" + "x" * 500):
        client.get(path)
    client.request("BREW", JOBS)
    client.put("/healthz")
    # Then each is counted under one of few names
    grown = {key: requests(*key) - count for key, count in before.items()}
    assert grown == {
        ("POST", JOBS, 202): 1,
        ("GET", "/api/v1/jobs/{job_id}", 404): 1,
        ("GET", "other", 404): 4,
        ("other", "/api/v1/jobs", 405): 1,
        ("PUT", "/healthz", 405): 1,
    }
    text = client.get("/metrics").text
    assert "wp-login" not in text
    assert "nonsense" not in text
    assert counted("octavia_http_request_duration_seconds_count", method="POST", route=JOBS) >= 1


def test_a_path_below_a_proxys_is_the_same_route(settings: Settings, database: Database, storage: Storage) -> None:
    # Given an API below a path of a proxy's
    app = create_app(settings.model_copy(update={"root_path": "/octavia"}), database=database, storage=storage)
    before = requests("GET", "/api/v1/jobs", 200)
    # When it is asked
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/octavia/api/v1/jobs").status_code == 200
    # Then the proxy's path is no part of the route
    assert requests("GET", "/api/v1/jobs", 200) == before + 1


def test_uploads_are_counted_when_they_are_complete(client: TestClient) -> None:
    # Given what was uploaded before
    uploads, size = counted("octavia_uploads_total"), counted("octavia_upload_bytes_total")
    form = {"type": "transcribe", "source_language": "en"}
    # When a file arrives, and one that is refused
    assert client.post(JOBS, data=form, files={"file": ("a.wav", b"x" * 1000)}).status_code == 202
    assert client.post(JOBS, data=form, files={"file": ("a.wav", b"")}).status_code == 422
    # Then the first is counted
    assert counted("octavia_uploads_total") == uploads + 1
    assert counted("octavia_upload_bytes_total") == size + 1000


def test_owners_are_told_apart_only_if_the_operator_wants_it(
    settings: Settings, database: Database, storage: Storage
) -> None:
    # Given an operator who wants it
    chosen = settings.model_copy(update={"metrics_owners": True})
    app = create_app(chosen, database=database, storage=storage)
    try:
        with TestClient(app, base_url="http://127.0.0.1") as client:
            # When a job is submitted
            client.post(JOBS, json=TEXT)
            # Then it is counted with its owner
            text = client.get("/metrics").text
            assert value(text, "octavia_jobs_submitted_total", type="translate", owner="local") == 1
    finally:
        for measure in (declared.JOBS_SUBMITTED, declared.JOBS_FINISHED):
            REGISTRY.unregister(measure._metric)
            measure._declare(tuple(label for label in measure.labels if label != "owner"))
    assert measures.known()[declared.JOBS_SUBMITTED.name].labels == ("type",)


def test_watchers_are_shown_while_they_watch(client: TestClient, tmp_path: Path) -> None:
    # Given nobody who watches
    assert value(client.get("/metrics").text, "octavia_watchers") == 0
