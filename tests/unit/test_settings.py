"""The settings: how variables are read, and what follows from others."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from octavia import programs
from octavia.settings import Settings, complaints

FIELDS = Settings.model_fields


def variable(name: str) -> str:
    return f"OCTAVIA_{name.upper()}"


def written(name: str) -> str:
    """The default of a setting, as people would write it."""
    default = FIELDS[name].default
    return str(default) if isinstance(default, str | Path) else json.dumps(default)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.delenv(variable(name), raising=False)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", ["", " ", "\t\n", '""', "''"])
def test_an_empty_variable_is_not_set(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = Settings()
    monkeypatch.setenv(variable(name), value)
    given = Settings()
    assert given == unset
    assert given.model_fields_set == set()


@pytest.mark.parametrize("name", [name for name in FIELDS if written(name)])
@pytest.mark.parametrize("around", [" {}", "{}\n", '"{}"', "' {} '"])
def test_spaces_and_quotes_around_a_value_do_not_matter(
    name: str, around: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset = Settings()
    monkeypatch.setenv(variable(name), around.format(written(name)))
    given = Settings()
    assert given == unset
    assert given.model_fields_set == {name}


SWITCH = ("true", "false", "yes", "no", "on", "off")
WORDS = [
    (name, word)
    for name, field in FIELDS.items()
    if get_origin(field.annotation) is Literal or field.annotation is bool
    for word in get_args(field.annotation) or SWITCH
]


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_a_word_is_taken_in_any_case(name: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    for written in (word, word.upper(), word.capitalize()):
        monkeypatch.setenv(variable(name), written)
        taken.append(getattr(Settings(), name))
    assert taken == [word if isinstance(taken[0], str) else word in ("true", "yes", "on")] * 3


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.annotation is Path])
def test_a_path_may_begin_in_the_home_folder_or_here(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.chdir(tmp_path)
    for given, meant in {
        "~/x": Path("/home/ann/x"),
        "~": Path("/home/ann"),
        "x": tmp_path / "x",
        "/x": Path("/x"),
    }.items():
        monkeypatch.setenv(variable(name), given)
        assert getattr(Settings(), name) == meant
    assert FIELDS[name].default.is_relative_to("~")
    monkeypatch.delenv(variable(name))
    assert getattr(Settings(), name).is_relative_to("/home/ann")


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.annotation == tuple[float, ...]])
@pytest.mark.parametrize("value", ["5,30", " 5, 30 ", "[5,30]", "[5.0, 30]", "5,30,"])
def test_a_list_needs_no_brackets(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(name), value)
    assert getattr(Settings(), name) == (5, 30)


@pytest.mark.parametrize(("value", "taken"), [("7", (7,)), ("[]", ())])
def test_a_list_may_be_short(value: str, taken: tuple[float, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVIA_RETRY_DELAYS", value)
    assert Settings().retry_delays == taken


@pytest.mark.parametrize("value", ["files.internal,10.0.0.0/8,[::1]", ' ["files.internal", "10.0.0.0/8", "[::1]"]'])
def test_hosts_are_a_list_too(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVIA_OUTBOUND_ALLOW", value)
    assert Settings().outbound_allow == "files.internal,10.0.0.0/8,[::1]"


@pytest.mark.parametrize("name", [name for name in FIELDS if name.endswith("_url")])
def test_every_url_is_checked_and_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a password in the wrong place
    monkeypatch.setenv(variable(name), "amqp://octavia:kestrel/plover@host")
    # When the settings are loaded
    with pytest.raises(ValidationError) as refused:
        Settings()
    # Then neither the error nor what people read of it has a part of it
    (said,) = complaints(refused.value)
    assert said.startswith(f"{variable(name)} ")
    for text in (said, str(refused.value), repr(refused.value)):
        assert "kest" not in text
        assert "plov" not in text


def test_settings_do_not_print_their_secrets() -> None:
    given = Settings(
        database_url="postgresql://me:kestrel@db/octavia",
        broker_url="amqp://me:kestrel@rabbit",
        storage_url="sftp://me:kestrel@files/x",
        hub_url="https://me:kestrel@hub",
        webhook_secret="whsec_a2VzdHJlbC1rZXN0cmVsLWtlc3RyZWwtMTIz",
    )
    assert "kestrel" not in f"{given} {given!r}"
    assert "whsec_" not in f"{given} {given!r}"


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVIA_PORT", "x" * 1000)
    monkeypatch.setenv("OCTAVIA_AUTH", "maybe")
    with pytest.raises(ValidationError) as refused:
        Settings()
    port, auth = complaints(refused.value)
    assert port.startswith(f"OCTAVIA_PORT is '{'x' * 60}'…: ")
    assert auth == "OCTAVIA_AUTH is 'maybe': Input should be 'auto', 'keys' or 'off'"


def test_without_a_home_folder_a_path_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a user that the system does not know, as containers have
    def unknown(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(ValidationError) as refused:
        Settings(data_dir="~/here")
    assert "OCTAVIA_DATA_DIR is '~/here': there is no home folder" in complaints(refused.value)[0]


def test_children_get_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given settings of every kind
    given = Settings(
        data_dir="~/x",
        broker_url="amqp://a ; amqp://b",
        retry_delays=(),
        auto_pull=False,
        log_level="error",
        host="::1",
    )
    # When a child reads them from its environment, which was its parent's too
    monkeypatch.setenv("OCTAVIA_DATABASE_URL", "postgresql://elsewhere/octavia")
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    # Then they are equal
    assert Settings() == given
    assert given.brokers == ["amqp://a", "amqp://b"]


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")], ids=["IPv4", "IPv6"]
)
def test_the_api_is_found_where_it_listens(host: str, url: str) -> None:
    assert Settings(host=host, port=8000).url == url


def test_a_child_in_another_folder_has_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given settings with paths relative to the current folder
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        data_dir=Path("data"),
        models_dir=Path("models"),
        database_url="sqlite:///octavia.db",
        storage_url="file://store",
    )
    # When they are handed to a child
    given = settings.environment()
    # Then they name the same files
    assert given["OCTAVIA_DATA_DIR"] == str(tmp_path / "data")
    assert given["OCTAVIA_MODELS_DIR"] == str(tmp_path / "models")
    assert given["OCTAVIA_STORAGE_URL"] == f"file://{tmp_path}/store"
    assert given["OCTAVIA_DATABASE_URL"] == f"sqlite:///{tmp_path}/octavia.db"


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
