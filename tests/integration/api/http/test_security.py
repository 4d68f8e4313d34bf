"""Nothing that a stranger sent is ever shown or run, whatever it looks like: not by browsers, not on this machine."""

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.api.http.security import HEADERS
from octavia.files import is_plain
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored
from tests.integration.api.driving import RESULTS, complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.jobs.steps import Steps
from tests.support.hostile import polyglots
from tests.support.media import tone, wav
from tests.support.names import DEVICES

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
OWN_POLICY = ("/docs", "/problem", "/operator", "/pages")
PAGES = ("/docs", "/docs/start.js", "/docs/swagger-ui.css", "/operator", "/pages/x/operator/main.js")


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough here."""
    database = Database(sqlite_url)
    yield database
    database.close()


def submitted(client: TestClient, name: str, data: bytes = b"sound", media_type: str = "audio/wav") -> str:
    answer = client.post("/api/v1/jobs", data=DUB, files={"file": (name, data, media_type)})
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def job_id(url: str) -> UUID:
    return UUID(url.rpartition("/")[2])


def test_every_answer_has_the_security_headers(
    client: TestClient, keyed: Keyed, steps: Steps, storage: Storage
) -> None:
    # Given answers of every kind: data, pages, files, errors, refusals, redirects that are none
    url = submitted(client, "talk.wav")
    complete(steps, storage, job_id(url))
    etag = client.get(f"{url}/audio.wav").headers["etag"]
    answers = [
        client.get(url),
        client.get("/api/v1/jobs"),
        client.get(f"{url}/audio.wav"),
        client.get(f"{url}/audio.wav", headers={"range": "bytes=0-9"}),
        client.get(f"{url}/audio.wav", headers={"if-none-match": etag}),
        client.get(f"{url}/transcript.vtt"),
        client.get(f"{url}/artifacts.zip"),
        client.get(f"{url}/events"),
        client.get("/nothing"),
        client.get("/api/v1/jobs/../../etc/passwd"),
        client.post("/api/v1/jobs", content=b"<script>", headers={"content-type": "text/html"}),
        client.put(url),
        client.get("/openapi.json"),
        client.get("/healthz"),
        client.get("/problems/not_media", headers={"accept": "text/html"}),
        client.get("/v1/models"),
        client.get(url, headers={"host": "evil.example"}),
        keyed.anonymous().get("/api/v1/jobs"),
        *(client.get(page) for page in PAGES),
    ]
    # Then each has all of the headers
    for answer in answers:
        for name, value in HEADERS.items():
            own_policy = name == "content-security-policy" and answer.request.url.path.startswith(OWN_POLICY)
            assert name in answer.headers, (answer.url, name)
            assert own_policy or answer.headers[name] == value, (answer.url, name)
        # And no policy lets anything inline, or from elsewhere, run
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy.get("script-src", "'none'") in ("'self'", "'none'")
        assert (policy["base-uri"], policy["form-action"], policy["frame-ancestors"]) == ("'none'",) * 3


def test_the_answer_to_a_bug_has_the_security_headers(settings: Settings, database: Database, storage: Storage) -> None:
    app = create_app(settings, database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        app.state.context = None
        answer = client.get("/api/v1/jobs")
    assert answer.status_code == 500
    assert HEADERS.items() <= dict(answer.headers).items()


def test_the_docs_page_needs_no_inline_script(client: TestClient) -> None:
    # Given the page as a browser gets it
    page = client.get("/docs").text
    # Then every script is a file, and no attribute is one
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"\son\w+=|javascript:", page) == []
    assert "<style" not in page


def test_an_uploaded_page_is_never_shown_as_a_page(
    client: TestClient, steps: Steps, storage: Storage, stored: Stored
) -> None:
    types = {media_type.partition(";")[0] for media_type, _ in RESULTS.values()} | {"application/zip"}
    for name, data in polyglots(wav(tone(0.1))).items():
        # Given a recording that is also something to run, and says so in its name and type
        url = submitted(client, name, data, "text/html")
        # When all that there is of it is fetched
        complete(steps, storage, job_id(url))
        listed = client.get(f"{url}/artifacts").json()["artifacts"]
        answers = [client.get(f"{url}/artifacts/{artifact['name']}") for artifact in listed]
        answers += [client.get(f"{url}/{path}") for path in ("audio.wav", "transcript.txt", "translation.json")]
        answers += [client.get(f"{url}/artifacts.zip")]
        # Then it is ours, of a type of ours, to be saved and not shown
        assert len(answers) == len(RESULTS) + 4
        for answer in answers:
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] in types - {"text/html"}
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["x-content-type-options"] == "nosniff"
        # And what was sent cannot be had again under any address
        assert any(Path(stored.folder, path).read_bytes() == data for path in stored.files)
        for path in (f"input/{name}", f"artifacts/input/{name}", f"artifacts/..%2finput%2f{name}", f"artifacts/{name}"):
            assert client.get(f"{url}/{path}").status_code == 404
        assert client.get(url).headers["content-type"] == "application/json"


def test_no_stored_file_can_be_run(client: TestClient, steps: Steps, storage: Storage, stored: Stored) -> None:
    # Given a process that would give its files every right
    before = os.umask(0)
    try:
        # When something is uploaded that could be run, and results are made
        url = submitted(client, "tool.sh", b"#!/bin/sh\nid\n", "application/x-sh")
        complete(steps, storage, job_id(url))
    finally:
        os.umask(before)
    # Then no file has the right to be run
    assert len(stored.files) > len(RESULTS)
    for path in stored.files:
        assert stat.S_IMODE((stored.folder / path).stat().st_mode) & 0o111 == 0


TRICKS = [
    *DEVICES,
    "../../../../etc/cron.d/x.wav",
    "..\\..\\windows\\system32\\x.wav",
    "/etc/passwd",
    "....//....//x.wav",
    "a\0b.wav",
    "x" * 5000 + ".wav",
    "\u202egnp.exe.wav",
    'quo"te; filename=evil.html',
    "line\r\nset-cookie: a=b\r\n.wav",
    "CON",
    "nul.wav",
    "COM1.txt",
    ".",
    "..",
    "~root",
    "-rf",
    "%2e%2e%2fx.wav",
    "$(id).wav",
    "\U0001f600.wav",
]


def test_file_names_cannot_leave_the_storage(
    client: TestClient, steps: Steps, storage: Storage, stored: Stored
) -> None:
    accepted = 0
    for name in TRICKS:
        # Given a file under a name that is a trick
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r\n", "%0D%0A").encode()
        form = (
            b'--xyz\r\nContent-Disposition: form-data; name="type"\r\n\r\ntranscribe\r\n--xyz\r\n'
            b'Content-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\nsound\r\n--xyz--\r\n'
        )
        before = set(stored.files)
        answer = client.post(
            "/api/v1/jobs", content=form, headers={"content-type": "multipart/form-data; boundary=xyz"}
        )
        if answer.status_code != 202:
            # A form may have no such name at all.
            assert answer.json()["code"] == "bad_multipart"
            assert set(stored.files) == before
            continue
        accepted += 1
        # When it is kept, then in the job's own folder, under a plain name
        url = answer.headers["location"]
        (kept,) = set(stored.files) - before
        assert re.fullmatch(rf"jobs/{job_id(url)}/input/[A-Za-z0-9_][A-Za-z0-9._-]{{0,99}}", kept), kept
        # And results are offered under a name without a path, a line's end, or a letter that turns others round
        complete(steps, storage, job_id(url))
        for path in ("transcript.txt", "artifacts.zip"):
            answer = client.get(f"{url}/{path}")
            header = answer.headers["content-disposition"]
            found = re.fullmatch(
                r"""attachment; filename="([^"\\/\x00-\x1f\x7f]*)"; filename\*=UTF-8''([A-Za-z0-9._~%-]*)""", header
            )
            assert found, header
            plain, extended = found.groups()
            assert plain.endswith((".txt", ".zip"))
            assert len(extended) < 1_000
            assert not re.search(r"%(0[0-9A-F]|1[0-9A-F]|7F|2F|5C|E2%80%AE)", extended)
            assert is_plain(unquote(extended))
            assert is_plain(plain)
        # And within the archive, where the names are ours
        assert {*zipfile.ZipFile(io.BytesIO(answer.content)).namelist()} == {*RESULTS}
        assert all(map(is_plain, RESULTS))
    assert accepted > 15


def test_markup_in_a_request_is_not_shown_as_html(client: TestClient, steps: Steps) -> None:
    # Given a code that is markup
    answer = client.get("/problems/<script>alert(1)</script>", headers={"accept": "text/html"})
    # Then the error is data
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    fail_url = submitted(client, "<img src=x onerror=alert(1)>.wav")
    fail(steps)
    assert client.get(fail_url, headers={"accept": "text/html"}).headers["content-type"] == "application/json"
