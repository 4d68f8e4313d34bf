"""Reading what is said in a job line by line, and mending a line, over HTTP."""

from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from octavia.storage import Storage
from tests.integration.api.driving import SAID, complete, fail
from tests.integration.api.keyed import Keyed
from tests.integration.api.resources.test_jobs import JOBS, TEXT, submit
from tests.integration.jobs.steps import Steps

ONE = {"if-match": '"1"'}


@pytest.fixture
def lines(client: TestClient, steps: Steps, storage: Storage) -> str:
    """The URL of the utterances of a completed dub."""
    job = submit(client)
    complete(steps, storage, UUID(job["id"]))
    url: str = job["links"]["utterances"]
    return url


def finish(steps: Steps, storage: Storage, lines: str) -> None:
    complete(steps, storage, UUID(lines.split("/")[-2]))


def test_utterances_are_listed_line_by_line(client: TestClient, lines: str) -> None:
    # When the utterances of a completed job are read
    answer = client.get(lines)
    # Then each has its id, times, words and translation, and the answer says which revision they are of
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    assert answer.json() == {
        "utterances": [
            {
                "id": "0-0",
                "start": 0.0,
                "end": 6.0,
                "source": SAID.text,
                "translation": SAID.translation,
                "speaker": None,
                "voice": None,
                "confidence": 0.75,
                "edited": [],
                "pending": False,
            }
        ],
        "revision": 1,
        "next_cursor": None,
    }
    # And a page after the last is empty
    assert client.get(lines, params={"cursor": "0-0"}).json()["utterances"] == []
    assert client.get(lines, params={"cursor": "7-7"}).json()["code"] == "invalid_cursor"


def test_a_line_is_mended(client: TestClient, lines: str, steps: Steps, storage: Storage) -> None:
    # When the translation of a line is mended
    answer = client.patch(f"{lines}/0-0", json={"translation": " ¡Hola \n a todas! "}, headers=ONE)
    # Then the job runs again, and says where
    assert (answer.status_code, answer.json()["status"], answer.json()["run"]) == (202, "queued", 2)
    assert answer.headers["location"] == lines.removesuffix("/utterances")
    # And the line shows what it will be, while the results are those from before
    (line,) = client.get(lines).json()["utterances"]
    assert (line["translation"], line["edited"], line["pending"]) == ("¡Hola a todas!", ["translation"], True)
    assert (line["source"], line["start"]) == (SAID.text, 0.0)
    assert client.get(lines).headers["etag"] == '"1.2"'
    # When it is done, then there is another revision, and the one before beside it
    finish(steps, storage, lines)
    assert client.get(lines).headers["etag"] == '"2"'
    job = lines.removesuffix("/utterances")
    for revision in (1, 2):
        query = {"revision": revision}
        found = client.get(f"{job}/artifacts", params=query).json()["artifacts"]
        assert {(one["name"], one["revision"]) for one in found} >= {("dub.wav", revision)}
        assert client.get(found[0]["url"]).status_code == 200
        for path in ("audio.wav", "transcript.srt", "translation.vtt", "artifacts/dub.wav", "artifacts.zip"):
            assert client.get(f"{job}/{path}", params=query).status_code == 200
        assert client.get(f"{job}/transcript.srt", params={**query, "max_lines": 1}).status_code == 200
    for path in ("audio.wav", "translation.vtt", "artifacts.zip"):
        missing = client.get(f"{job}/{path}", params={"revision": 3})
        assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")


def test_another_source_shows_no_translation_until_it_has_one(client: TestClient, lines: str) -> None:
    client.patch(f"{lines}/0-0", json={"source": "Hello to you.", "end": 5.5}, headers=ONE)
    (line,) = client.get(lines).json()["utterances"]
    assert (line["source"], line["translation"], line["end"]) == ("Hello to you.", None, 5.5)
    assert (line["edited"], line["pending"]) == (["source", "end"], True)


def test_a_stale_revision_is_refused(client: TestClient, lines: str) -> None:
    for tag in ('"2"', "0", '"999999999"', '"1.1"'):
        answer = client.patch(f"{lines}/0-0", json={"translation": "¡Hola!"}, headers={"if-match": tag})
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")


@pytest.mark.parametrize("tag", ["1", "*"])
def test_the_revision_may_be_written_in_several_ways(client: TestClient, lines: str, tag: str) -> None:
    assert client.patch(f"{lines}/0-0", json={"translation": "¡Hola!"}, headers={"if-match": tag}).status_code == 202


def test_a_revision_is_needed(client: TestClient, lines: str) -> None:
    answer = client.patch(lines, json={"utterances": [{"id": "0-0", "translation": "¡Hola!"}]})
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
    answer = client.patch(lines, json={"utterances": [{"id": "0-0"}]}, headers={"if-match": "W/x"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_field", "If-Match")


WRONG: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({}, 422, "missing_field", None),
    ({"text": "Hello."}, 400, "unknown_field", "text"),
    ({"start": "soon"}, 422, "invalid_field", "start"),
    ({"end": -1}, 422, "invalid_field", "end"),
    ({"end": 1e300}, 422, "invalid_field", "end"),
    ({"translation": "a" * 2001}, 422, "invalid_field", "translation"),
    ({"source": "Hello\0"}, 422, "invalid_field", "source"),
    ({"voice": "nobody"}, 422, "voice_unavailable", "voice"),
    ({"voice": "en_US-joe-medium"}, 422, "voice_unavailable", "voice"),
    ({"start": 6.1}, 422, "invalid_times", "start"),
    ({"end": 100}, 422, "invalid_times", "end"),
]


def test_a_wrong_edit_is_refused_with_its_field(client: TestClient, lines: str) -> None:
    for edit, status, code, field in WRONG:
        # When a line is mended to what cannot be, alone or among others
        alone = client.patch(f"{lines}/0-0", json=edit, headers=ONE)
        listed = client.patch(lines, json={"utterances": [{"id": "0-0", **edit}]}, headers=ONE)
        # Then the answer names the field
        for answer in (alone, listed):
            said = answer.json()
            assert (answer.status_code, said["code"], said.get("field")) == (status, code, field), edit
            assert said["hint"]
    # And nothing is done
    assert client.get(lines).json()["utterances"][0]["edited"] == []
    assert client.get(lines.removesuffix("/utterances")).json()["status"] == "completed"


def test_several_utterances_are_edited_together_or_not_at_all(client: TestClient, lines: str) -> None:
    good = {"id": "0-0", "translation": "¡Hola!"}
    for wrong, status, code in (
        ([good, {"id": "3-3", "translation": "?"}], 404, "utterance_not_found"),
        ([good, good], 422, "invalid_field"),
        ([good, {"translation": "?"}], 422, "missing_field"),
        ([], 422, "invalid_field"),
        ("0-0", 422, "invalid_field"),
    ):
        answer = client.patch(lines, json={"utterances": wrong}, headers=ONE)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Edit 2" in client.patch(lines, json={"utterances": [good, {"id": "1", "end": "x"}]}).json()["detail"]
    assert client.patch(lines, json={"utterances": [good]}, headers=ONE).status_code == 202


def test_a_job_that_runs_is_not_mended(client: TestClient, lines: str, steps: Steps) -> None:
    # Given a line that is being mended
    assert client.patch(f"{lines}/0-0", json={"translation": "¡Hola!"}, headers=ONE).status_code == 202
    # When another one shall be, then that has to wait
    answer = client.patch(f"{lines}/0-0", json={"translation": "Hola."}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    # Until the run comes to nothing; and only if that is known
    fail(steps)
    answer = client.patch(f"{lines}/0-0", json={"translation": "Hola."}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    read = {"if-match": client.get(lines).headers["etag"]}
    assert client.patch(f"{lines}/0-0", json={"translation": "Hola."}, headers=read).status_code == 202


def test_a_job_without_results_has_no_lines(client: TestClient) -> None:
    lines = submit(client)["links"]["utterances"]
    for answer in (client.get(lines), client.patch(f"{lines}/0-0", json={"end": 1}, headers=ONE)):
        assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")


def test_fields_that_a_job_does_not_have_cannot_be_edited(client: TestClient, steps: Steps, storage: Storage) -> None:
    # Given a text that was translated: it has no times, and is not spoken
    job = client.post(JOBS, json=TEXT).json()
    complete(steps, storage, UUID(job["id"]))
    lines = job["links"]["utterances"]
    (line,) = client.get(lines).json()["utterances"]
    assert (line["start"], line["end"], line["translation"]) == (None, None, SAID.translation)
    for edit in ({"voice": "joe"}, {"start": 1.0}):
        answer = client.patch(f"{lines}/0-0", json=edit, headers=ONE)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_applicable")
    assert client.patch(f"{lines}/0-0", json={"source": "Hi."}, headers=ONE).status_code == 202


def test_an_edit_that_is_sent_twice_is_made_once(
    client: TestClient, lines: str, steps: Steps, storage: Storage
) -> None:
    # Given an edit whose answer got lost, and which was carried out meanwhile
    keyed = {**ONE, "idempotency-key": "once"}
    first = client.patch(f"{lines}/0-0", json={"translation": None, "end": 5.0}, headers=keyed)
    finish(steps, storage, lines)
    # When it is sent again, then the first answer comes again, although the revision is another by now
    again = client.patch(f"{lines}/0-0", json={"translation": None, "end": 5.0}, headers=keyed)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    # And one that says null is not one that says nothing
    other = client.patch(f"{lines}/0-0", json={"end": 5.0}, headers=keyed)
    assert other.json()["code"] == "idempotency_key_reused"


def test_mending_needs_a_key_that_may_write(keyed: Keyed, steps: Steps, storage: Storage) -> None:
    job = keyed.client("ann").post(JOBS, json=TEXT).json()
    complete(steps, storage, UUID(job["id"]))
    lines = job["links"]["utterances"]
    answer = keyed.client("bob").patch(f"{lines}/0-0", json={"source": "Hi."}, headers=ONE)
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert keyed.client("ann").patch(f"{lines}/0-0", json={"source": "Hi."}, headers=ONE).status_code == 202
