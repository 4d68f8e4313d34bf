"""Both clients before a real server."""

import hashlib
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chaos.proxy import Proxy
from octavia.client import (
    AccessDenied,
    Artifact,
    ConflictError,
    Damaged,
    Job,
    NotFoundError,
    RequestRefused,
    WaitTimeout,
    calls,
)
from octavia.client.patience import Patience
from octavia.errors import NotFound, OctaviaError
from octavia.jobs.access import keys, webhooks
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import KEPT_TIME, RESULTS, complete, fail
from tests.integration.api.server import Server, server_process
from tests.integration.client.conftest import MakeClient
from tests.integration.jobs.steps import Steps


def submit(octavia: Any) -> Job:
    return octavia.submit("transcribe", file=("talk.wav", b"RIFF"), source_language="en")


def ended_in_vain(octavia: Any, steps: Steps) -> UUID:
    """The id of a job whose webhook failed."""
    new = {"webhook_url": "https://example.com/hook", "webhook_secret": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    job = octavia.submit("transcribe", file=("talk.wav", b"RIFF"), source_language="en", **new)
    octavia.cancel(job.id)
    (leased,) = webhooks.lease(steps.db, limit=1, seconds=30)
    webhooks.record(steps.db, leased, webhooks.Outcome(webhooks.Verdict.GONE, 410, "The receiver is gone."))
    return job.id


def test_a_job_from_submission_to_deletion(octavia: Any, steps: Steps, storage: Storage, tmp_path: Path) -> None:
    # Given a recording that is submitted by its path
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF" + bytes(1000))
    job = octavia.submit(
        "transcribe", file=path, source_language="en", metadata={"order": 7}, priority="high", start=False
    )
    assert (job.type, job.status, job.metadata, job.priority) == ("transcribe", "pending", {"order": 7}, "high")
    assert (job.input.filename, job.input.size) == ("talk.wav", 1004)

    # When it is started and worked on
    assert octavia.start(job.id).status == "queued"
    assert octavia.status(job.id).queue_position == 1
    complete(steps, storage, job.id)

    # Then the client sees it end, reads what was said, and has the files
    ended = octavia.wait(str(job.id), timeout=10)
    assert (ended.status, ended.ended, ended.revision) == ("completed", True, 1)
    assert ended.dub is not None
    assert ended.dub == octavia.status(job.id).dub
    assert ended.dub.model_dump() == KEPT_TIME
    assert octavia.transcript(job.id).encode() == RESULTS["transcript.txt"][1]
    assert "\n" in octavia.transcript(job.id, "srt", max_line_length=10, max_lines=4)
    assert "<c>" in octavia.transcript(job.id, "vtt", words=True)
    assert "¡Hola a todos!" in octavia.bilingual(job.id, "ttml")
    assert octavia.translation(job.id, "json").encode() == RESULTS["translation.json"][1]
    assert {artifact.name for artifact in octavia.artifacts(job.id)} == set(RESULTS)
    saved = octavia.download(job.id, "dub.wav", tmp_path)
    assert (saved, saved.read_bytes()) == (tmp_path / "dub.wav", RESULTS["dub.wav"][1])
    with pytest.raises(NotFound, match=r"no file dub\.mp3"):
        octavia.download(job.id, "dub.mp3", tmp_path)

    # And may have it run again, and be rid of it
    again = octavia.retry(job.id, from_stage="transcribe")
    assert (again.status, again.run) == ("queued", 2)
    octavia.delete(job.id)
    with pytest.raises(NotFoundError) as raised:
        octavia.get(job.id)
    assert raised.value.code == "job_not_found"


def test_jobs_are_listed_over_pages(octavia: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more jobs than a page has
    monkeypatch.setattr("octavia.client.calls._PAGE", 2)
    made = [
        octavia.submit("synthesize", text="Hi.", source_language="en", metadata={"odd": n % 2}, start=False).id
        for n in range(5)
    ]
    # Then all come, newest first, or as many as are wanted, or those that match
    assert [job.id for job in octavia.list()] == made[::-1]
    assert [job.id for job in octavia.list(limit=3)] == made[:1:-1]
    assert [job.id for job in octavia.list(metadata={"odd": "1"}, status="pending")] == [made[3], made[1]]
    assert list(octavia.list(type="dub")) == []


def test_a_job_is_canceled_unless_it_has_ended(octavia: Any, steps: Steps) -> None:
    failed = submit(octavia)
    fail(steps)
    with pytest.raises(ConflictError) as raised:
        octavia.cancel(failed.id)
    assert raised.value.code == "invalid_state"
    assert octavia.cancel(submit(octavia).id).status == "canceled"


def test_a_job_that_does_not_end_in_time_is_not_waited_for(octavia: Any, steps: Steps) -> None:
    with pytest.raises(WaitTimeout):
        octavia.wait(submit(octavia).id, timeout=0.3)


def test_what_is_wrong_names_its_field(octavia: Any) -> None:
    with pytest.raises(RequestRefused) as raised:
        octavia.submit("synthesize", text="Hi.", source_language="en", speed=9)
    assert (raised.value.status, raised.value.code, raised.value.field) == (422, "invalid_field", "speed")


def test_all_runs_of_a_job_are_watched(octavia: Any, steps: Steps, storage: Storage) -> None:
    # Given a job that has failed, and ran again to its end
    job = submit(octavia)
    fail(steps)
    octavia.retry(job.id)
    complete(steps, storage, job.id)

    # Then the end of the first run is not taken for the last, and what is known is not told again
    events = list(octavia.watch(job.id))
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events if event.type in ("failed", "completed")] == ["failed", "completed"]
    assert list(octavia.watch(job.id, after=events[-2].id)) == events[-1:]
    with pytest.raises(NotFoundError):
        next(octavia.watch(UUID(int=0)))


def test_watching_outlives_the_server(make_client: MakeClient, settings: Settings, steps: Steps) -> None:
    # Given a client that watches a job
    octavia = make_client(settings.port)
    job = steps.submit(JobType.TRANSCRIBE)
    lost: list[OctaviaError | None] = []
    seen: list[int] = []
    told = threading.Event()

    def watch() -> None:
        for event in octavia.watch(job.id, on_lost=lost.append):
            seen.append(event.id)
            told.set()

    watching = threading.Thread(target=watch, daemon=True)
    with server_process(settings):
        watching.start()
        assert told.wait(20)

    # When the server is killed, things happen, and another server is started
    steps.emit(job.id)
    with server_process(settings):
        steps.run_out()
        watching.join(30)

    # Then nothing is missed or told twice, and the client was told of the interruption once
    assert seen == list(range(1, steps.job(job.id).event_seq + 1))
    assert [type(error).__name__ for error in lost] == ["Unreachable", "NoneType"]


def test_waiting_outlives_the_connection(
    make_client: MakeClient, server: Server, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who waits behind a connection that is cut
    job = submit(make_client(server.port))
    ended: list[str] = []
    noticed, bear = threading.Event(), Patience.lost

    def lost(patience: Patience, error: OctaviaError) -> float:
        noticed.set()
        return bear(patience, error)

    monkeypatch.setattr(Patience, "lost", lost)
    with Proxy(server.port) as proxy:
        octavia = make_client(proxy.port, retries=0)
        proxy.cut()
        waiting = threading.Thread(target=lambda: ended.append(octavia.wait(job.id).status), daemon=True)
        waiting.start()
        assert noticed.wait(20)
        # When the job ends meanwhile, and the connection is mended, then he hears of it
        fail(steps)
        proxy.mend()
        waiting.join(20)
    assert ended == ["failed"]

    # But not for ever
    impatient = make_client(proxy.port, retries=0, patience=0)
    with pytest.raises(OctaviaError, match="does not answer"):
        impatient.wait(job.id)


def test_a_download_that_broke_off_is_gone_on_from(
    octavia: Any, steps: Steps, storage: Storage, tmp_path: Path, server: Server
) -> None:
    # Given the first half of a file, as an earlier download left it
    job = submit(octavia)
    complete(steps, storage, job.id)
    (artifact,) = (artifact for artifact in octavia.artifacts(job.id) if artifact.name == "dub.wav")
    whole = RESULTS["dub.wav"][1]
    part = tmp_path / f".voice.wav.{artifact.sha256[:12]}.part"
    part.write_bytes(whole[:500_000])
    asked: list[str | None] = []
    server.app.middleware_stack = _noting(server.app.middleware_stack, asked)

    # When it is downloaded
    saved = octavia.download(job.id, artifact, tmp_path / "voice.wav")

    # Then only the rest comes, and nothing is left beside the file
    assert asked == ["bytes=500000-"]
    assert saved.read_bytes() == whole
    assert not part.exists()

    # And a part that is damaged is found out
    part.write_bytes(bytes(500_000))
    with pytest.raises(Damaged):
        octavia.download(job.id, artifact, tmp_path / "voice.wav")
    assert not part.exists()

    # And one that is complete needs no request
    asked.clear()
    part.write_bytes(whole)
    assert octavia.download(job.id, artifact, tmp_path / "voice.wav").read_bytes() == whole
    assert asked == []


def _noting(app: Any, asked: list[str | None]) -> Any:
    async def noting(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        asked.append(headers[b"range"].decode() if b"range" in headers else None)
        await app(scope, receive, send)

    return noting


def test_files_stay_in_their_folder(octavia: Any, tmp_path: Path) -> None:
    # Given a server that means harm
    evil = Artifact(
        name="../evil.txt",
        media_type="text/plain",
        size=4,
        sha256=hashlib.sha256(b"evil").hexdigest(),
        created_at="2026-05-01T12:00:00Z",  # type: ignore[arg-type]
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(Damaged, match="evil"):
        octavia.download(UUID(int=0), evil, folder)


def test_a_line_is_mended(octavia: Any, steps: Steps, storage: Storage, tmp_path: Path) -> None:
    # Given a completed job, and what is said in it
    job = octavia.submit("dub", file=("talk.wav", b"RIFF"), source_language="en", target_language="es")
    complete(steps, storage, job.id)
    said = octavia.utterances(job.id)
    assert (said.revision, [line.id for line in said.utterances]) == (1, ["0-0"])
    # When a line is mended
    mended = octavia.edit(job.id, {"0-0": {"translation": "¡Hola!"}}, etag=said.etag)
    # Then the job runs again, and the line says so
    assert (mended.run, mended.status) == (2, "queued")
    (line,) = octavia.utterances(job.id).utterances
    assert (line.translation, line.edited, line.pending) == ("¡Hola!", ("translation",), True)
    # And when it is done, the results from before are there still
    complete(steps, storage, job.id)
    with pytest.raises(RequestRefused) as stale:
        octavia.edit(job.id, {"0-0": {"translation": None}}, etag=said.etag)
    assert (stale.value.status, stale.value.code) == (412, "precondition_failed")
    for revision in (1, 2):
        (before,) = [one for one in octavia.artifacts(job.id, revision) if one.name == "dub.wav"]
        assert before.revision == revision
        assert octavia.download(job.id, before, tmp_path / f"{revision}.wav").read_bytes() == RESULTS["dub.wav"][1]
    assert octavia.translation(job.id, "srt", revision=1).encode() == RESULTS["translation.srt"][1]


def test_a_log_is_read_over_pages(octavia: Any, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a job that failed, and pages of one entry
    monkeypatch.setattr(calls, "LOG_PAGE", 1)
    job = octavia.submit("translate", text="Hi.", source_language="en", target_language="es")
    fail(steps)
    # When its log is read
    entries = list(octavia.log(job.id))
    # Then it is all there, in order
    assert [entry.what for entry in entries] == ["submitted", "queued", "attempt", "failed"]
    assert (entries[2].stage, entries[2].status, entries[2].error.code) == ("translate", "failed", "no_audio")


def test_failed_webhooks_are_listed_over_pages_and_made_again(
    octavia: Any, make_client: MakeClient, server: Server, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given three jobs whose webhooks failed, and pages of two
    monkeypatch.setattr("octavia.client.calls._PAGE", 2)
    jobs = [ended_in_vain(octavia, steps) for _ in range(3)]
    # When the failed ones are listed, all or some
    found = list(octavia.webhooks(status="failed"))
    # Then they are there, newest first
    assert [one.job_id for one in found] == jobs[::-1]
    assert [(one.status, one.response_status, one.owner) for one in found] == [("failed", 410, "local")] * 3
    # And an administrator sees them too
    with pytest.raises(AccessDenied):
        list(octavia.webhooks(all_owners=True))
    admin = make_client(server.port, api_key=keys.create(steps.db, "root", scopes=list(Scope))[1])
    assert [one.id for one in admin.webhooks(limit=1, all_owners=True)] == [found[0].id]
    # When one is made again, Then it is not failed any more
    assert octavia.redeliver(found[0].id).status == "pending"
    assert admin.redeliver(str(found[1].id), all_owners=True).next_attempt_at is not None
    assert [one.id for one in octavia.webhooks(status="failed")] == [found[2].id]
    with pytest.raises(NotFoundError):
        octavia.redeliver("../keys")
