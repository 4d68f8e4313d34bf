"""Data that others may read is said at a start and by the doctor, with the command that closes it."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from octavia.cli import exposure
from octavia.cli.doctor.checks import privacy
from octavia.cli.doctor.findings import Verdict
from octavia.settings import Settings
from tests.support.modes import NOBODY, open_to_others


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "my data", database_url="", broker_url="", storage_url="")


def made(folder: Path, mode: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "octavia.db").touch()
    (folder / "octavia.db").chmod(0o644)
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o704, 0o777])
def test_a_folder_that_all_may_open_is_bad_and_the_remedy_closes_it(settings: Settings, mode: int) -> None:
    # Given a data folder of an earlier release, or of an operator
    folder = made(settings.data_dir, mode)
    # Then the doctor names it
    (finding,) = privacy(settings)
    assert finding.verdict is Verdict.BAD
    assert f"{folder} is open to every user of this machine (mode 0{mode:o})" in finding.detail
    # And so does the log of a start, with the same remedy
    with capture_logs() as logged:
        exposure.warn(settings)
    assert [(line["event"], line["hint"]) for line in logged] == [("data_exposed", finding.remedy)]
    # When that is run, then all is closed, and nothing is left to say
    subprocess.run(shlex.split(finding.remedy), check=True)
    assert open_to_others(folder) == []
    assert [finding.verdict for finding in privacy(settings)] == [Verdict.GOOD]


def test_a_folder_that_a_group_may_open_is_worth_a_note(settings: Settings) -> None:
    # An operator may have meant that
    made(settings.data_dir, 0o750)
    (finding,) = privacy(settings)
    assert finding.verdict is Verdict.NOTE
    assert "its group" in finding.detail


def test_a_private_folder_stands_for_all_in_it(settings: Settings) -> None:
    made(settings.data_dir, 0o700)
    assert [finding.verdict for finding in privacy(settings)] == [Verdict.GOOD]


def test_what_is_not_there_yet_is_no_fault(settings: Settings) -> None:
    assert [finding.verdict for finding in privacy(settings)] == [Verdict.GOOD]


def test_a_database_and_a_storage_elsewhere_are_looked_at(settings: Settings, tmp_path: Path) -> None:
    # Given a private data folder, and the rest in folders that are open
    made(settings.data_dir, 0o700)
    elsewhere, storage = made(tmp_path / "elsewhere", 0o755), made(tmp_path / "storage", 0o755)
    (elsewhere / "octavia.db-wal").touch(0o644)
    configured = Settings(
        data_dir=settings.data_dir,
        database_url=f"sqlite:///{elsewhere}/octavia.db",
        storage_url=f"file://{storage}",
        broker_url="",
    )
    # Then both are named
    database, stored = privacy(configured)
    assert str(elsewhere / "octavia.db") in database.detail
    assert str(storage) in stored.detail
    # And what the shell makes of the remedy closes the database's other files too
    subprocess.run(database.remedy, shell=True, check=True)
    assert (elsewhere / "octavia.db-wal").stat().st_mode & 0o077 == 0


def test_a_bucket_is_not_looked_for(settings: Settings) -> None:
    bucket = Settings(data_dir=settings.data_dir, storage_url="s3://octavia", database_url="postgresql+psycopg://db/x")
    assert exposure.find(bucket) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_named(settings: Settings) -> None:
    # Given a folder that belongs to somebody else
    os.chown(made(settings.data_dir, 0o700), NOBODY, -1)
    # Then that is said
    (finding,) = privacy(settings)
    assert finding.verdict is Verdict.NOTE
    assert "belongs to nobody" in finding.detail
    assert "chown -R" in finding.remedy
