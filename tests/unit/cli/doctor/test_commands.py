import json
from pathlib import Path

import pytest

from octavia.cli import console
from octavia.cli.doctor.checks import CHECKS, broker, disk, extras, storage, temporary_files, variables
from octavia.cli.doctor.commands import examine
from octavia.cli.doctor.findings import Finding, Verdict
from octavia.errors import Unavailable
from octavia.settings import Settings, get_settings
from tests.support.command import runner


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("OCTAVIA_BROKER_URL", raising=False)
    monkeypatch.delenv("OCTAVIA_DATABASE_URL", raising=False)
    return Settings(data_dir=tmp_path / "data", models_dir=tmp_path / "models")


def test_everything_is_looked_at(settings: Settings) -> None:
    # When a machine is examined on which nothing has been set up yet
    findings = {finding.subject: finding for finding in examine(settings, CHECKS)}

    # Then each thing has a verdict, and whatever is not good has a remedy
    assert {"Python", "FFmpeg", "recognisers", "translators", "voices", "npm", "database", "broker"} <= findings.keys()
    assert all(finding.remedy for finding in findings.values() if finding.verdict is not Verdict.GOOD)
    assert findings["FFmpeg"].verdict is Verdict.GOOD
    assert "en-es" in findings["translators"].detail


def test_a_broker_that_does_not_answer_is_bad(settings: Settings) -> None:
    # Given a URL where nobody listens
    configured = settings.model_copy(update={"broker_url": "amqp://guest:secret@127.0.0.1:1"})

    # Then that is said with the reason, a remedy, and without the password
    (finding,) = broker(configured)
    assert finding.verdict is Verdict.BAD
    assert "127.0.0.1:1 does not answer" in finding.detail
    assert "OCTAVIA_BROKER_URL" in finding.remedy
    assert "secret" not in json.dumps([finding.detail, finding.remedy])


def test_a_variable_that_is_no_setting_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a mistake, the variables of `octavia jobs`, and Kubernetes' link to a Service
    monkeypatch.setenv("OCTAVIA_WORKER_SLOT", "four")
    monkeypatch.setenv("OCTAVIA_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("OCTAVIA_API_KEY", "oct_x")
    monkeypatch.setenv("OCTAVIA_PORT", "tcp://10.0.0.1:8000")

    # Then the first has a remedy, without its value, the last an explanation, and the others are fine
    link, mistake = variables(settings)
    assert (link.verdict, mistake.verdict) == (Verdict.NOTE, Verdict.NOTE)
    assert "enableServiceLinks" in link.remedy
    assert mistake.detail == "OCTAVIA_WORKER_SLOT is no setting, and has no effect"
    assert mistake.remedy == "Perhaps OCTAVIA_WORKER_SLOTS is meant."


def test_urls_are_shown_without_secrets(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given passwords in each place of a URL that may hold one, and libraries that repeat them
    def repeats(_: Settings) -> list[Finding]:
        raise ValueError("cannot connect to sftp://me:secret@files")

    monkeypatch.setattr("octavia.storage.Storage.check", lambda _: None)
    configured = settings.model_copy(update={"storage_url": "memory://me:secret@files/x?key=secret"})

    # Then none is in a finding
    stored, failed = examine(configured, (storage, repeats))
    assert stored.detail == "memory://files/x?…"
    assert failed.detail == "ValueError: cannot connect to sftp://…@files"


def test_an_extra_that_the_settings_call_for_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a service over PostgreSQL and S3, and neither extra installed
    monkeypatch.setattr("octavia.cli.doctor.checks.find_spec", lambda module: None)
    configured = settings.model_copy(
        update={"database_url": "postgresql+psycopg://db/octavia", "storage_url": "s3://octavia"}
    )

    # Then both are named with the command that brings them, and nothing is asked of who needs none
    assert [finding.remedy for finding in extras(configured)] == [
        "pip install 'octavia[postgres]'",
        "pip install 'octavia[s3]'",
    ]
    assert extras(settings) == []


def test_a_check_that_fails_is_a_finding(settings: Settings) -> None:
    def down(_: Settings) -> list[Finding]:
        raise Unavailable("It is away.", hint="Wake it.")

    def broken_check(_: Settings) -> list[Finding]:
        raise ZeroDivisionError("oops")

    first, second, *rest = examine(settings, (down, broken_check, disk))
    assert (first.verdict, first.detail, first.remedy) == (Verdict.BAD, "It is away.", "Wake it.")
    assert (second.subject, second.detail) == ("broken check", "ZeroDivisionError: oops")
    assert {finding.subject for finding in rest} == {"disk"}


def test_what_is_bad_is_shown_with_its_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a broker that does not answer
    monkeypatch.setenv("OCTAVIA_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("OCTAVIA_BROKER_URL", "amqp://guest:secret@127.0.0.1:1")
    get_settings.cache_clear()
    monkeypatch.setattr("octavia.cli.doctor.checks.CHECKS", (disk, broker))
    doctor = runner(monkeypatch, capsys, "doctor")
    # When the doctor looks, then it fails, with a line for each finding and what to do
    shown = doctor(code=console.FAILED)
    # And as JSON it says just the same
    *good, bad = json.loads(doctor("--json", code=console.FAILED))
    assert bad["subject"] == "broker"
    assert bad["verdict"] not in {finding["verdict"] for finding in good}
    assert f"\n{bad['verdict']}" in shown
    assert f"→ {bad['remedy'].split()[0]}" in shown
    get_settings.cache_clear()


def test_temporary_files_need_a_folder_that_can_be_written(settings: Settings) -> None:
    # Given a data folder that can be made
    (finding,) = temporary_files(settings)
    assert finding.verdict is Verdict.GOOD
    assert str(settings.data_dir) in finding.detail
    assert not settings.data_dir.exists()
    # But where it cannot, as on a read-only disk, that is said with the remedy
    (finding,) = temporary_files(settings.model_copy(update={"data_dir": Path("/proc/octavia")}))
    assert finding.verdict is Verdict.BAD
    assert "OCTAVIA_DATA_DIR" in finding.remedy
    # And a disk without room is no better
    (finding,) = temporary_files(settings.model_copy(update={"min_free_bytes": 2**62}))
    assert finding.verdict is Verdict.BAD
    assert "free" in finding.detail
