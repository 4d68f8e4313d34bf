"""Octavia keeps its files to itself, whatever the umask; a person's results have the modes of theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.service import clip, service
from tests.support.modes import open_to_others, readable_by_nobody
from tests.support.receiver import SECRET, Receiver
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this


@pytest.fixture(autouse=True)
def entered_by_all(tmp_path: Path) -> None:
    """The folders above let everybody in, so that only Octavia's own rights count."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)


def test_a_service_keeps_all_to_itself(tmp_path: Path) -> None:
    # Given a service started with a umask that takes no right away
    before = os.umask(0)
    try:
        with Receiver() as receiver, service(tmp_path, OCTAVIA_OUTBOUND_ALLOW="127.0.0.1") as running:
            running.start_api()
            os.umask(before)
            # When it is sent a recording and a secret, works, and tells of it
            wanted = {"type": "dub", "source_language": "en", "target_language": "es"}
            job = running.submit(clip(tmp_path, 5.0), **wanted, webhook_url=receiver.url, webhook_secret=SECRET)
            running.until_started(job["id"], "synthesize")
            during = open_to_others(tmp_path / "data")
            assert running.until_ended(job["id"])["status"] == "completed"
            until(lambda: bool(receiver.received))
            # Then neither meanwhile nor afterwards has anybody else a right to anything: the database with its log and
            # index, the recording, each result, and temporary files
            names = {path.name for path in (tmp_path / "data").rglob("*")}
            assert {"octavia.db", "octavia.db-wal", "octavia.db-shm", "input", "translation.json", "tmp"} <= names
            # But for the copy of a shared library, which keeps its modes in a folder that nobody else can enter
            assert [each for each in during if not each.endswith("/libespeak-ng.so")] == []
            left = open_to_others(tmp_path / "data")
            assert [each for each in left if not each.endswith("/libespeak-ng.so")] == []
            if os.geteuid() == 0:
                assert readable_by_nobody(tmp_path / "data") == []
    finally:
        os.umask(before)


def test_a_command_keeps_its_state_to_itself_and_gives_its_results(tmp_path: Path) -> None:
    # Given a person whose group may read what they make
    recording, out = clip(tmp_path, 5.0), tmp_path / "results" / "talk"
    command = [sys.executable, "-m", "octavia", "transcribe", str(recording), "--from", "en", "--out", str(out)]
    environment = os.environ | {"OCTAVIA_BROKER_URL": "", "OCTAVIA_DATABASE_URL": "", "OCTAVIA_STORAGE_URL": ""}
    running = subprocess.Popen(command, umask=0o027, env=environment, stdout=subprocess.DEVNULL)
    # When they have a recording transcribed
    try:
        until(lambda: (out / ".octavia" / "octavia.db").exists() or running.poll() is not None, 120)
        seen = open_to_others(out / ".octavia")
        assert running.wait(300) == 0
    finally:
        running.kill()
        running.wait()
    # Then the state was theirs alone, and the results are as of any program of theirs
    assert seen == []
    assert {path.stat().st_mode & 0o777 for path in (out.parent, out)} == {0o750}
    files = list(out.iterdir())
    assert "transcript.json" in {path.name for path in files}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o640}
