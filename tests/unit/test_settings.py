"""Settings that follow from others."""

import subprocess
import sys
from pathlib import Path

import pytest

from octavia import programs
from octavia.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")], ids=["IPv4", "IPv6"]
)
def test_the_api_is_found_where_it_listens(host: str, url: str) -> None:
    assert Settings(host=host, port=8000).url == url


def test_a_child_in_another_folder_has_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given settings with paths relative to the current folder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").touch()
    settings = Settings(
        data_dir=Path("data"),
        models_dir=Path("models"),
        storage_url="file://store",
        broker_url="amqps://a?ca=ca.pem;amqps://b",
    )
    # When they are handed to a child
    given = settings.environment()
    # Then they name the same files
    assert given["OCTAVIA_DATA_DIR"] == str(tmp_path / "data")
    assert given["OCTAVIA_MODELS_DIR"] == str(tmp_path / "models")
    assert given["OCTAVIA_STORAGE_URL"] == f"file://{tmp_path}/store"
    assert given["OCTAVIA_BROKER_URL"] == f"amqps://a?ca={tmp_path}/ca.pem;amqps://b"


def test_a_user_without_a_name_or_a_home_has_folders() -> None:
    # Given a user that the system does not know, as in a container, and no HOME
    code = """
import os, pwd
os.environ.pop("HOME", None)
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
from octavia.settings import Settings
print(Settings().data_dir, Settings().models_dir)
"""
    environment = {name: value for name, value in programs.environment().items() if not name.startswith("OCTAVIA_")}
    # When the settings are read, then they name folders that a deployment may mount
    said = subprocess.check_output([sys.executable, "-c", code], env=environment, cwd=programs.FOLDER, text=True)
    assert said.split() == ["/var/lib/octavia", "/var/cache/octavia/models"]
