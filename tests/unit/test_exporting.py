"""What an exporter finds of its own machine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from octavia import exporting
from octavia.exporting import Exporter
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage


@pytest.fixture
def db(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def own(settings: Settings, db: Database) -> dict[str, dict[str, float]]:
    exporter = Exporter(settings, db, Storage(settings.storage), "worker")
    exporter.start()
    found: dict[str, dict[str, float]] = {}
    for metric in exporter.registry.collect():
        for sample in metric.samples:
            found.setdefault(sample.name, {})["".join(sample.labels.values())] = sample.value
    exporter.stop()
    return found


def test_the_certificate_that_expires_first_is_told(db: Database, tmp_path: Path) -> None:
    # Given a broker's URL with a certificate that expires in ten days, and an authority's that lasts
    authority = trustme.CA()
    leaf = authority.issue_cert("octavia.example", not_after=datetime.now(UTC) + timedelta(days=10))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "leaf.pem")
    url = f"amqps://broker.invalid?cacertfile={tmp_path}/ca.pem&certfile={tmp_path}/leaf.pem"
    # When the figures are read, then that is ten days
    settings = Settings(data_dir=tmp_path, database_url=str(db.url), broker_url="")
    (seconds,) = own(settings, db).get("octavia_certificate_expiry_seconds", {"": 0}).values()
    assert seconds == 0, "an embedded service names none"

    ends = sorted(exporting._certificate_ends(url))
    assert ends[0] - datetime.now(UTC).timestamp() == pytest.approx(10 * 86400, abs=3600)
    # And files that are not there, or hold something else, are left out
    (tmp_path / "leaf.pem").write_text("nothing")
    assert len(list(exporting._certificate_ends(url))) == 1
    assert list(exporting._certificate_ends("amqps://broker.invalid?certfile=/no/such/file")) == []


def test_what_cannot_be_measured_is_left_out(db: Database, tmp_path: Path) -> None:
    # Given a data folder that does not exist yet
    settings = Settings(data_dir=tmp_path / "none", database_url=str(db.url), storage_url=str(tmp_path / "storage"))
    # When the figures are read, then the storage's disk is there, and the other one missing
    assert own(settings, db)["octavia_disk_free_bytes"].keys() == {"storage"}


def test_settings_of_processes_side_by_side() -> None:
    # Given settings with a port, and without
    # When another process of the same command gets its own
    # Then the port is the next one, or none still
    assert Settings(metrics_port=9464).beside(2).metrics_port == 9466
    assert Settings().beside(2).metrics_port == 0
