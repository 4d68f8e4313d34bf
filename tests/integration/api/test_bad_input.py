"""An invalid submission is refused with its field and a remedy, and leaves nothing behind."""

import json
import resource
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from octavia.web import create_app
from tests.integration.api.conftest import Stored

JOBS = "/api/v1/jobs"
FILE = ("talk.wav", b"RIFF not really", "audio/wav")
DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
TEXT = {"type": "translate", "text": "Good morning.", "source_language": "en", "target_language": "es"}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind is enough: none of this gets as far as the database."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def nothing_is_left(client: TestClient, stored: Stored) -> Iterator[None]:
    """After each of these: no job, no file, no folder."""
    yield
    assert client.get(JOBS).json()["jobs"] == []
    assert stored.empty


def check(answer: Any, status: int, code: str, field: str | None) -> None:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"], body.get("field")) == (status, status, code, field), body
    assert body["type"] == f"/problems/{code}"
    assert body["detail"]
    assert body["hint"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({**DUB, "source_language": "klingonish"}, 422, "unknown_language", "source_language"),
        ({**DUB, "target_language": "klingonish"}, 422, "unknown_language", "target_language"),
        ({**DUB, "target_language": "en"}, 422, "same_language", "target_language"),
        ({**DUB, "target_language": "haw"}, 422, "unsupported_pair", "target_language"),
        ({**DUB, "source_language": "bo"}, 422, "unsupported_pair", "target_language"),
        ({**DUB, "source_language": "zu"}, 422, "unsupported_source_language", "source_language"),
        ({**DUB, "voice": "nobody"}, 422, "voice_unavailable", "voice"),
        ({**DUB, "voice": "en_US-joe-medium"}, 422, "voice_unavailable", "voice"),
        ({"type": "dub", "target_language": "haw"}, 422, "voice_unavailable", "voice"),
        ({**DUB, "formats": "wav,aiff"}, 422, "unsupported_format", "formats"),
        ({**DUB, "type": "sing"}, 422, "invalid_field", "type"),
        ({**DUB, "speed": "5"}, 422, "invalid_field", "speed"),
        ({**DUB, "metadata": "{"}, 400, "bad_json", "metadata"),
        ({**DUB, "metadata": json.dumps({"a": "x" * 4096})}, 422, "metadata_too_large", "metadata"),
        ({**DUB, "vocabulary": "x" * 20_000}, 413, "field_too_long", "vocabulary"),
        ({**DUB, "colour": "red"}, 400, "unknown_field", "colour"),
        ({**DUB, "text": "Good morning."}, 400, "unknown_field", "text"),
        ({"type": "dub"}, 422, "missing_field", "target_language"),
        ({"target_language": "es"}, 422, "missing_field", "type"),
        ({"type": "synthesize", "source_language": "en"}, 422, "wrong_input", "file"),
        ({"type": "transcribe", "voice": "joe"}, 422, "not_applicable", "voice"),
        ({**DUB, "type": ["dub", "dub"]}, 400, "duplicate_field", "type"),
    ],
)
def test_a_wrong_field_of_a_form(
    client: TestClient, fields: dict[str, Any], status: int, code: str, field: str
) -> None:
    check(client.post(JOBS, data=fields, files={"file": FILE}), status, code, field)


@pytest.mark.parametrize(
    ("files", "status", "code", "field"),
    [
        ([("file", ("talk.wav", b"", "audio/wav"))], 422, "empty_file", "file"),
        ([("file", FILE), ("file", FILE)], 400, "several_files", "file"),
        ([("video", FILE)], 400, "unknown_field", "video"),
        ([("file", FILE), ("other", FILE)], 400, "unknown_field", "other"),
        ([("file", (None, b"just text"))], 422, "invalid_field", "file"),
        ([("voice", (None, b"ef_dora"))], 422, "missing_field", "file"),
    ],
    ids=["empty", "two", "elsewhere", "and-another", "as-text", "none"],
)
def test_a_wrong_file(client: TestClient, files: Any, status: int, code: str, field: str) -> None:
    check(client.post(JOBS, data=DUB, files=files), status, code, field)


@pytest.mark.parametrize(
    ("values", "status", "code", "field"),
    [
        ({**TEXT, "text": ""}, 422, "text_empty", "text"),
        ({**TEXT, "text": " \n "}, 422, "text_empty", "text"),
        ({**TEXT, "text": "x" * 1001}, 413, "text_too_long", "text"),
        ({**TEXT, "text": "x" * 1_000_000}, 413, "text_too_long", "text"),
        ({**TEXT, "text": "a\0b"}, 422, "invalid_field", "text"),
        ({**TEXT, "text": "\ud800"}, 422, "invalid_field", "text"),
        ({**TEXT, "text": 5}, 422, "invalid_field", "text"),
        ({**TEXT, "target_language": "en"}, 422, "same_language", "target_language"),
        ({**TEXT, "target_language": "haw"}, 422, "unsupported_pair", "target_language"),
        ({**TEXT, "source_language": "auto"}, 422, "language_required", "source_language"),
        ({**TEXT, "type": "transcribe"}, 422, "wrong_input", "text"),
        ({**TEXT, "colour": "red"}, 400, "unknown_field", "colour"),
        ({**TEXT, "metadata": {"a": "\0"}}, 422, "invalid_field", "metadata"),
        ({"type": "synthesize", "text": "Hi.", "source_language": "haw"}, 422, "voice_unavailable", "voice"),
        (DUB, 422, "missing_field", "text"),
        ([TEXT], 400, "bad_json", None),
        ("text", 400, "bad_json", None),
    ],
)
def test_a_wrong_field_of_json(client: TestClient, values: Any, status: int, code: str, field: str | None) -> None:
    answer = client.post(JOBS, content=json.dumps(values), headers={"content-type": "application/json"})
    check(answer, status, code, field)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"type": dub}', b"\xff\xfe", b"[" * 5000, b'{"a": ' * 5000, b'{"speed": NaN}', b"1" * 5000],
    ids=["empty", "cut", "unquoted", "not-utf8", "deep-list", "deep-object", "nan", "digits"],
)
def test_invalid_json_is_refused(client: TestClient, body: bytes) -> None:
    check(client.post(JOBS, content=body, headers={"content-type": "application/json"}), 400, "bad_json", None)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "audio/wav", "application/x-www-form-urlencoded", "multipart/mixed", ""]
)
def test_a_wrong_content_type(client: TestClient, content_type: str) -> None:
    answer = client.post(JOBS, content=b"x", headers={"content-type": content_type})
    check(answer, 415, "unsupported_content_type", None)


@pytest.mark.parametrize(
    "body",
    [b"", b"no form", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nhalf a file'],
    ids=["empty", "garbage", "cut"],
)
def test_a_broken_form(client: TestClient, body: bytes) -> None:
    answer = client.post(JOBS, content=body, headers={"content-type": "multipart/form-data; boundary=x"})
    check(answer, 400, "bad_multipart", None)


@pytest.mark.parametrize(
    ("query", "status", "code", "field"),
    [
        ("limit=0", 422, "invalid_field", "limit"),
        ("limit=many", 422, "invalid_field", "limit"),
        ("status=gone", 422, "invalid_field", "status"),
        ("cursor=%F0%9F%98%80", 400, "invalid_cursor", "cursor"),
        ("cursor=abc", 400, "invalid_cursor", "cursor"),
        ("cursor=AAAA", 400, "invalid_cursor", "cursor"),
        ("page=2", 400, "unknown_field", "page"),
    ],
)
def test_a_wrong_query(client: TestClient, query: str, status: int, code: str, field: str) -> None:
    check(client.get(f"{JOBS}?{query}"), status, code, field)


def test_a_file_over_the_limit(settings: Settings, database: Database, storage: Storage) -> None:
    # Given a limit of 1000 bytes
    app = create_app(settings.model_copy(update={"max_upload_bytes": 1000}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When a file of one more comes, whose form is not larger than forms may be
        answer = client.post(JOBS, data=DUB, files={"file": ("a.wav", b"x" * 1001)})
        # Then it is refused
        check(answer, 413, "upload_too_large", "file")


def test_a_full_disk(client: TestClient) -> None:
    # Given a disk that has room for a megabyte more; the operating system says so
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        # When a larger recording is uploaded
        answer = client.post(JOBS, data=DUB, files={"file": ("a.wav", b"x" * 3_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    # Then that is said
    check(answer, 503, "storage_full", None)
    assert answer.headers["retry-after"]


def test_a_model_that_may_not_be_fetched(settings: Settings, database: Database, storage: Storage) -> None:
    # Given one machine that has no voice for Spanish and may not fetch one
    app = create_app(settings.model_copy(update={"auto_pull": False}), database=database, storage=storage)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        # When a dub into Spanish is submitted, then what is missing is said at once
        answer = client.post(JOBS, data=DUB, files={"file": FILE})
        check(answer, 422, "model_unavailable", None)
        assert "octavia models pull" in answer.json()["hint"]


ROW = {"start": 0, "end": 1, "text": "Yes."}


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "text"])
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("[1]", "utterance 1 is no object"),
        ("[null]", "utterance 1 is no object"),
        (json.dumps([ROW, "Yes."]), "utterance 2 is no object"),
        (json.dumps([ROW, [ROW]]), "utterance 2 is no object"),
        (json.dumps([ROW, {**ROW, "start": "0"}]), "utterance 2 has no number of seconds from 0 as its start"),
        (json.dumps([{**ROW, "end": True}]), "utterance 1 has no number of seconds from 0 as its end"),
        (json.dumps([{**ROW, "start": -1}]), "utterance 1 has no number of seconds from 0 as its start"),
        (json.dumps([{"start": 0, "text": "Yes."}]), "utterance 1 has no end"),
        (json.dumps([{**ROW, "text": None}]), "utterance 1 has no string as its text"),
        (json.dumps([{**ROW, "speaker": 1}]), "utterance 1 has no string as its speaker"),
        ('[{"start": 0, "end": NaN, "text": "Yes."}]', "NaN is no number"),
        ('[{"start": 0, "end": 1e999, "text": "Yes."}]', "utterance 1 has no number of seconds from 0 as its end"),
        (f'[{{"start": 1{"0" * 500}, "end": 1, "text": "Yes."}}]', "utterance 1 has no number of seconds"),
        ('[{"start": 0, "start": 0, "end": 1, "text": "Yes."}]', "twice"),
        ("[", "line 1 is no JSON"),
        ("{}", "no utterances"),
    ],
)
def test_a_transcript_is_checked_row_by_row_when_it_is_submitted(
    client: TestClient, rows: str, said: str, as_file: bool
) -> None:
    # Given what begins as a transcript does
    text = f'{{"language": "en", "duration": 1, "text": "Yes.", "utterances": {rows}}}'
    fields = {name: value for name, value in TEXT.items() if name != "text"}
    # When it is submitted, as a file or as a text
    if as_file:
        answer = client.post(JOBS, data=fields, files={"file": ("transcript.json", text.encode())})
    else:
        answer = client.post(JOBS, json={**fields, "text": text})
    # Then it is refused at once, with the row and what is wrong in it
    check(answer, 422, "bad_subtitles", "file" if as_file else "text")
    assert said in answer.json()["detail"]


def test_subtitles_that_are_too_large_to_be_read_are_refused_when_they_are_submitted(client: TestClient) -> None:
    subtitles = b"1\n00:00:01,000 --> 00:00:02,000\n" + b"<i>" * 2_200_000
    fields = {name: value for name, value in TEXT.items() if name != "text"}
    check(client.post(JOBS, data=fields, files={"file": ("a.srt", subtitles)}), 413, "text_too_long", "file")
