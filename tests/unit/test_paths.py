from pathlib import Path

import pytest

from octavia.paths import full_query, full_url


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("sqlite:///data/octavia.db", "sqlite:///{here}/data/octavia.db"),
        ("sqlite+pysqlite:///octavia.db?timeout=3", "sqlite+pysqlite:///{here}/octavia.db?timeout=3"),
        ("file://store", "file://{here}/store"),
        ("./store", "{here}/store"),
        ("store", "{here}/store"),
        ("postgresql://db/octavia?sslrootcert=ca.pem&x=1", "postgresql://db/octavia?sslrootcert={here}/ca.pem&x=1"),
    ],
)
def test_a_path_in_a_url_is_the_same_in_any_folder(
    given: str, full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    assert full_url(given) == full.format(here=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        *("", "sqlite://", "sqlite:///:memory:", "sqlite:////var/octavia.db", "sqlite:///file:x?mode=memory&uri=true"),
        *("file:///var/store", "/var/store", "s3://bucket/prefix", "memory://store"),
        "postgresql+psycopg://user:secret@db/octavia?sslrootcert=system&sslmode=verify-full",
    ],
)
def test_other_urls_stay_as_they_are(url: str) -> None:
    assert full_url(url) == url


def test_of_a_broker_only_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    assert full_query("amqps://mq?ca=ca.pem&name=mq") == f"amqps://mq?ca={tmp_path}/ca.pem&name=mq"
    assert full_query("mq") == "mq"
