"""``octavia jobs`` before a real server, in this process and in one of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
import structlog

from octavia.cli import console
from octavia.cli.app import app
from octavia.client import Job, Octavia
from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables import queries
from octavia.jobs.tables.queries import Filters
from octavia.jobs.tables.records import JobRecord
from octavia.local import OWNER
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import RESULTS, complete, fail
from tests.integration.api.server import Server, server_process
from tests.integration.client.test_client import ended_in_vain
from tests.integration.jobs.steps import Steps
from tests.support.waiting import until


class Shell:
    """Runs ``octavia jobs``, or another group of commands, as a user does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.errors = ""

    def __call__(self, *arguments: str | Path, group: str = "jobs", code: int = console.DONE) -> str:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["octavia", group, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            console.run(app)
        said = self._capsys.readouterr()
        self.errors = said.err
        assert left.value.code == code, said.err
        return said.out


@pytest.fixture
def shell(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    monkeypatch.setenv("OCTAVIA_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.chdir(tmp_path)
    # The server of this process would log into the terminal of the command.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield Shell(monkeypatch, capsys)
    structlog.reset_defaults()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"RIFF" + bytes(1000))
    return path


def test_a_job_from_the_command_line(shell: Shell, recording: Path, steps: Steps, storage: Storage) -> None:
    # Given a recording that is submitted; stdout is its id, for scripts
    arguments = ["--type", "transcribe", "--from", "en", "--metadata", '{"order": 7}', "--idempotency-key", "k"]
    job_id = shell("submit", recording, *arguments).strip()
    assert shell("submit", recording, *arguments).strip() == job_id

    # When it is worked on, then it is listed and shown as it is
    complete(steps, storage, UUID(job_id))
    assert job_id in shell("list", "--metadata", "order=7", "--status", "completed")
    assert job_id not in shell("list", "--metadata", "order=8")
    shown = shell("show", job_id)
    assert "completed" in shown
    assert "dub.wav  1.0 MB" in shown
    assert json.loads(shell("show", job_id, "--json"))["metadata"] == {"order": 7}
    assert [job["id"] for job in json.loads(shell("list", "--json"))] == [job_id]

    assert [entry["what"] for entry in json.loads(shell("logs", job_id, "--json"))][:2] == ["submitted", "queued"]

    # And its log tells how it came to that, a line for each attempt
    story = shell("logs", job_id).splitlines()
    assert [line.split()[2] for line in story[1:]] == [
        *("submitted", "queued", "prepare", "transcribe", "assemble", "completed")
    ]

    # And its files are fetched, some or all
    shell("download", job_id, "transcript.txt", "--out", "one")
    assert [path.name for path in Path("one").iterdir()] == ["transcript.txt"]
    saved = json.loads(shell("download", job_id, "--out", "all", "--json"))
    assert {Path(path).name for path in saved} == set(RESULTS)
    assert Path("all/dub.wav").read_bytes() == RESULTS["dub.wav"][1]

    # And it runs again from a stage on, is canceled, and deleted
    assert "run 2" in shell("retry", job_id, "--from", "transcribe")
    assert "is canceled" in shell("cancel", job_id)
    shell("cancel", job_id)
    assert "is deleted" in shell("delete", job_id)
    shell("show", job_id, code=console.USAGE)
    assert "(job_not_found)" in shell.errors


def test_failed_webhooks_are_listed_and_made_again(shell: Shell, server: Server, steps: Steps) -> None:
    # Given a job whose webhook failed
    with Octavia(f"http://127.0.0.1:{server.port}") as octavia:
        job_id = ended_in_vain(octavia, steps)
    # When webhooks are listed, one's own or, with an administrator's key, those of all
    (listed,) = json.loads(shell("list", "--status", "failed", "--json", group="webhooks"))
    shell("list", "--all-owners", group="webhooks", code=console.USAGE)
    assert "(admin_key_required)" in shell.errors
    _, admin = keys.create(steps.db, "root", scopes=list(Scope))
    shown = shell("list", "--all-owners", "--api-key", admin, group="webhooks")
    # Then it is there, with everything that finds it again
    assert (listed["job_id"], listed["error"]) == (str(job_id), "The receiver is gone.")
    assert [word in shown for word in (listed["id"], str(job_id), "failed", "The receiver is gone.")] == [True] * 4
    # When it is made again
    assert "is delivered again" in shell("redeliver", listed["id"], group="webhooks")
    # Then it has not failed any more, and one that does not exist is an error
    assert json.loads(shell("list", "--status", "failed", "--json", group="webhooks")) == []
    shell("redeliver", "nonsense", group="webhooks", code=console.USAGE)
    assert "(delivery_not_found)" in shell.errors


def test_what_a_server_says_does_not_steer_the_terminal(shell: Shell, server: Server) -> None:
    # Given a job with a text of somebody else, in which are an escape, one in a byte, and a line's end
    with Octavia(f"http://127.0.0.1:{server.port}") as octavia:
        metadata = {"note": "a\x9b2Jb\u202ec"}
        job = octavia.submit("synthesize", text="Hello.", source_language="en", metadata=metadata, start=False)
    # When it is shown, Then they are written out
    shown = shell("show", str(job.id))
    assert "a\\x9b2Jb\\u202ec" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_a_text_is_sent_as_text(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "speech.txt").write_text("Good morning.")
    answer = shell("submit", "speech.txt", "--type", "synthesize", "--from", "en", "--no-start", "--json")
    job = json.loads(answer)
    assert (job["status"], job["input"]["kind"], job["input"]["size"]) == ("pending", "text", 13)


def test_waiting_ends_with_the_files(shell: Shell, recording: Path, steps: Steps, storage: Storage) -> None:
    # Given somebody who submits and waits
    work = threading.Thread(target=_work, args=(steps, storage), daemon=True)
    work.start()
    out = shell("submit", recording, "-t", "transcribe", "--from", "en", "--wait", "--download", "out")
    work.join(20)

    # Then stdout names the files, and stderr says what happened meanwhile
    assert {path.name for path in Path("out").iterdir()} == set(RESULTS)
    assert "out/dub.wav  1.0 MB" in out
    assert [line for line in shell.errors.splitlines() if not line.startswith("Job ")] == [
        "Waiting",
        "Preparing",
        "Transcribing",
        "Joining",
        "Completed",
    ]


def _work(steps: Steps, storage: Storage) -> None:
    def found() -> Sequence[JobRecord]:
        return queries.list_jobs(steps.db, OWNER, Filters(), cursor=None, limit=1).jobs

    until(lambda: bool(found()))
    complete(steps, storage, found()[0].id)


def test_a_job_that_fails_is_the_commands_failure(shell: Shell, recording: Path, steps: Steps) -> None:
    job_id = shell("submit", recording, "-t", "transcribe", "--from", "en").strip()
    fail(steps)
    assert shell("watch", job_id, "--download", "out", code=console.FAILED) == ""
    assert "error: There is no sound. (no_audio)\nhint: Send a recording with sound." in shell.errors
    assert not Path("out").exists()
    assert json.loads(shell("watch", job_id, "--json", code=console.FAILED))["error"]["code"] == "no_audio"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["submit"], "usage"),
        (["submit", "missing.wav"], "file_not_found"),
        (["submit", "talk.wav", "--download", "out"], "usage"),
        (["submit", "talk.wav", "--wait", "--no-start"], "usage"),
        (["submit", "talk.wav", "--metadata", "7"], "bad_json"),
        (["submit", "talk.wav", "--glossary", "missing.json", "--to", "es"], "glossary_unreadable"),
        (["submit", "talk.wav", "--input-url", "http://example.com/a.mp3"], "usage"),
        (["submit", "talk.wav", "--speed", "9", "--to", "es"], "invalid_field"),
        (["list", "--metadata", "order"], "usage"),
        (["show", "talk.wav"], "invalid_job_id"),
        (["watch", str(UUID(int=0))], "job_not_found"),
    ],
)
def test_bad_usage(shell: Shell, recording: Path, arguments: list[str], code: str) -> None:
    assert shell(*arguments, code=console.USAGE) == ""
    assert f"({code})" in shell.errors.splitlines()[0]


def test_an_address_where_nobody_is(shell: Shell) -> None:
    shell("list", "--url", "http://127.0.0.1:1", code=console.FAILED)
    assert "does not answer" in shell.errors


def test_a_key_is_sent_and_not_shown(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVIA_API_KEY", "oct_" + "x" * 40)
    shell("list", code=console.USAGE)
    assert "(invalid_key)" in shell.errors
    assert "oct_" not in shell("submit", "--help") + shell.errors


def submitted(port: int) -> Job:
    with Octavia(f"http://127.0.0.1:{port}") as octavia:
        return octavia.submit("transcribe", file=("talk.wav", b"RIFF"), source_language="en")


def start(settings: Settings, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"OCTAVIA_URL": f"http://127.0.0.1:{settings.port}"}
    command = [sys.executable, "-m", "octavia", "jobs", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_watching_says_that_the_server_was_restarted(settings: Settings, steps: Steps, storage: Storage) -> None:
    # Given somebody who watches a job
    with server_process(settings):
        job = submitted(settings.port)
        watching = start(settings, "watch", str(job.id))
        assert watching.stderr is not None
        assert watching.stderr.readline() == "Waiting\n"

    # When the server is killed, and another goes on
    lost = watching.stderr.readline()
    with server_process(settings):
        complete(steps, storage, job.id)
        out, said = watching.communicate(timeout=30)

    # Then the watcher is told, and sees the end
    assert lost.rstrip().endswith("Trying again …")
    assert said.splitlines()[0] == "Connected again."
    assert (watching.returncode, out) == (console.DONE, f"{job.id} is completed.\n")


def test_ctrl_c_leaves_the_job_running(server: Server, settings: Settings, steps: Steps) -> None:
    # Given somebody who watches a job
    job = submitted(server.port)
    watching = start(settings.model_copy(update={"port": server.port}), "watch", str(job.id))
    assert watching.stderr is not None
    assert watching.stderr.readline() == "Waiting\n"

    # When Ctrl-C is pressed
    watching.send_signal(signal.SIGINT)
    out, said = watching.communicate(timeout=20)

    # Then the command says that the job goes on, and how to watch or cancel it
    assert (watching.returncode, out) == (console.INTERRUPTED, "")
    assert f"octavia jobs watch {job.id}\n  octavia jobs cancel {job.id}" in said
    assert steps.job(job.id).status == "queued"


def test_a_line_is_mended_from_the_command_line(
    shell: Shell, recording: Path, steps: Steps, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a completed job, whose lines are read
    job_id = shell("submit", recording, "--from", "en", "--to", "es").strip()
    complete(steps, storage, UUID(job_id))
    assert shell("utterances", job_id).startswith("0-0\tHello to all of you")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert " – 0:0" in shell("utterances", job_id)
    monkeypatch.delenv("FORCE_COLOR")
    # When one is mended, then the job runs again
    assert "run 2" in shell("edit", job_id, "0-0", "--translation", "¡Hola!", "--end", "5.5")
    (line,) = json.loads(shell("utterances", job_id, "--json"))["utterances"]
    assert (line["translation"], line["end"], line["pending"]) == ("¡Hola!", 5.5, True)
    complete(steps, storage, UUID(job_id))
    # When several are, by a file, and one takes back what was mended
    edits = tmp_path / "edits.json"
    edits.write_text('{"utterances": [{"id": "0-0", "translation": ""}]}')
    assert json.loads(shell("edit", job_id, "--file", edits, "--revision", "2", "--json"))["run"] == 3
    complete(steps, storage, UUID(job_id))
    shell("edit", job_id, "0-0", "--reset", "translation", "--reset", "end")
    (line,) = json.loads(shell("utterances", job_id, "--json"))["utterances"]
    assert line["edited"] == []
    complete(steps, storage, UUID(job_id))
    # Then an older file is fetched as well as the newest
    shell("download", job_id, "dub.wav", "--revision", "1", "--out", tmp_path / "one")
    assert (tmp_path / "one" / "dub.wav").read_bytes() == RESULTS["dub.wav"][1]
    # And what makes no sense is said, with the code of bad usage
    twice = tmp_path / "twice.json"
    twice.write_text('{"utterances": [{"id": "0-0", "end": 5}, {"id": "0-0", "end": 6}]}')
    for arguments, said in (
        (("0-0", "--translation", "x", "--revision", "1"), "precondition_failed"),
        (("0-0", "--start", "9"), "invalid_times"),
        (("9-9", "--end", "9"), "utterance_not_found"),
        (("0-0", "--reset", "words"), "has no words"),
        ((), "one utterance"),
        (("0-0", "--file", edits), "one utterance"),
        (("--file", recording), "edits"),
        (("--file", tmp_path / "none.json"), "cannot be read"),
        (("--file", twice), "more than once"),
    ):
        shell("edit", job_id, *arguments, code=console.USAGE)
        assert said in shell.errors
