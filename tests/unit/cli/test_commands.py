import sys
from pathlib import Path

import pytest

from octavia.cli import console
from octavia.cli.app import app
from octavia.errors import ModelError, NotFound
from octavia.settings import get_settings
from tests.support.ports import free_port

COMMANDS = [
    ["doctor"],
    ["serve"],
    ["worker"],
    ["scheduler"],
    ["keys", "list"],
    ["db", "upgrade"],
    ["dead-letters", "list"],
    ["models", "list"],
    ["up"],
]


@pytest.fixture(autouse=True)
def fresh_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVIA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("OCTAVIA_BROKER_URL", raising=False)
    get_settings.cache_clear()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["octavia", *arguments])
    with pytest.raises(SystemExit) as left:
        console.run(app)
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["frobnicate"], "usage"),
        (["dub"], "usage"),
        (["dub", "talk.wav", "--slots", "0", "--to", "es"], "usage"),
        (["dub", "talk.wav"], "missing_field"),
        (["dub", "missing.wav", "--to", "es"], "file_not_found"),
        (["dub", "talk.wav", "--to", "es", "--glossary", "missing.json"], "glossary_unreadable"),
        (["dub", "talk.wav", "--revoice", "--glossary", "missing.json"], "not_applicable"),
        (["dub", "empty.wav", "--to", "es"], "empty_file"),
        (["dub", "talk.wav", "--to", "klingonese"], "unknown_language"),
        (["dub", "talk.wav", "--from", "es", "--to", "es"], "same_language"),
        (["dub", "talk.wav", "--to", "es", "--formats", "aiff"], "unsupported_format"),
        (["dub", "talk.wav", "--to", "es", "--subtitles", "docx"], "unsupported_format"),
        (["dub", "talk.wav", "--revoice", "--bilingual"], "not_applicable"),
        (["translate", "--from", "en", "--to", "es", "--text", "Hello.", "--subtitles", "ass"], "not_applicable"),
        (["translate", "--to", "es", "--text", "Hello."], "language_required"),
        (["translate", "--to", "es"], "usage"),
        (["synthesize", "--language", "en", "--text", "  "], "text_empty"),
        (["synthesize", "--language", "en", "talk.wav"], "not_text"),
        (["worker"], "no_broker"),
        (["worker", "--queues", "dance"], "unknown_queue"),
        (["keys", "create", "ann", "--expires", "soon"], "invalid_field"),
        (["keys", "create", "ann", "--webhook-url", "ftp://example.com"], "url_not_allowed"),
        (["keys", "create", "ann", "--scope", "everything"], "unknown_scope"),
    ],
)
def test_bad_usage_is_one_clear_line_and_a_remedy(
    arguments: list[str],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given a folder with a recording and an empty file
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    (tmp_path / "empty.wav").touch()
    before = sorted(path.name for path in tmp_path.iterdir())

    # When the command is wrong
    exit_code = run(monkeypatch, *arguments)

    # Then it says so, with a stable code and how to mend it, and leaves nothing behind
    said = capsys.readouterr()
    assert exit_code == console.USAGE
    first, second, *rest = said.err.splitlines()
    assert first.startswith("error: ")
    assert first.endswith(f"({code})")
    assert second.startswith("hint: ")
    assert (rest, said.out) == ([], "")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OCTAVIA_PORT", "http", "OCTAVIA_PORT is 'http': "),
        ("OCTAVIA_LOG_LEVEL", "loud", "OCTAVIA_LOG_LEVEL is 'loud': "),
        ("OCTAVIA_RETRY_DELAYS", "5,soon", "OCTAVIA_RETRY_DELAYS is 'soon': "),
        ("OCTAVIA_RETRY_DELAYS", "[5,30", "OCTAVIA_RETRY_DELAYS is '[5': "),
        ("OCTAVIA_WORKER_SLOTS", "none", "OCTAVIA_WORKER_SLOTS is 'none': "),
        ("OCTAVIA_PORT", "70000", "OCTAVIA_PORT is '70000': "),
        ("OCTAVIA_LEASE_SECONDS", "nan", "OCTAVIA_LEASE_SECONDS is 'nan': "),
        ("OCTAVIA_AUTH", "amqp://me:hunter2@host", "OCTAVIA_AUTH is 'amqp://…@host': "),
        ("OCTAVIA_WEBHOOK_SECRET", "hunter2", "OCTAVIA_WEBHOOK_SECRET is wrong: a secret is whsec_"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given an environment variable with a value that it cannot have
    monkeypatch.setenv(variable, value)
    get_settings.cache_clear()

    # Then the command says which, and where to look it up
    assert run(monkeypatch, "db", "check") == console.USAGE
    shown = capsys.readouterr().err
    assert said in shown
    assert "(invalid_setting)" in shown
    assert "hint: docs/operations.md" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("OCTAVIA_BROKER_URL", "amqp://octavia:{}@rabbit:5672/"),
        ("OCTAVIA_BROKER_URL", "amqp://rabbit;amqps://octavia:{}@rabbit"),
        ("OCTAVIA_DATABASE_URL", "postgresql+psycopg://octavia:{}@db:5432/octavia"),
        ("OCTAVIA_STORAGE_URL", "sftp://octavia:{}@files:22/octavia"),
        ("OCTAVIA_STORAGE_URL", "s3://AKIA:{}@bucket/octavia"),
        ("OCTAVIA_HUB_URL", "https://octavia:{}@hub.example:8443/"),
    ],
)
def test_no_command_shows_a_part_of_a_password(
    arguments: list[str],
    variable: str,
    given: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given passwords that nobody has escaped
    for password in (
        "kestrel/plover",
        "kestrel#plover",
        "kestrel?plover",
        "kestrel@plover",
        "kestrel plover",
        "1234/5678",
    ):
        monkeypatch.setenv(variable, given.format(password))
        get_settings.cache_clear()

        # When any command is run
        assert run(monkeypatch, *arguments) == console.USAGE

        # Then it names the variable and the remedy, and nothing of the password
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"error: {variable} ")
        assert "(invalid_setting)" in said.err
        assert not [part for part in ("kest", "estrel", "plov", "over", "1234", "5678") if part in said.err]


def test_an_address_in_use_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(monkeypatch, "serve", "--port", str(port)) == console.FAILED
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_nobody_is_served_without_a_key_who_could_be_anybody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given that no keys are asked for, when everybody shall be served, then nothing starts
    monkeypatch.setenv("OCTAVIA_AUTH", "off")
    get_settings.cache_clear()
    assert run(monkeypatch, "serve", "--host", "0.0.0.0") == console.USAGE
    shown = capsys.readouterr().err
    assert "(host_not_allowed)" in shown
    assert "octavia keys create" in shown


def test_a_missing_rabbitmq_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a machine where no RabbitMQ answers, nor is one installed
    monkeypatch.setenv("OCTAVIA_BROKER_URL", f"amqp://guest:guest@127.0.0.1:{free_port()}/")
    monkeypatch.setenv("OCTAVIA_PORT", str(free_port()))
    monkeypatch.setattr("rabbitmq.node._SCRIPTS", ())
    get_settings.cache_clear()

    # Then it is said, and nothing was made
    assert run(monkeypatch, "up", "--var", str(tmp_path / "var")) == console.FAILED
    said = capsys.readouterr().err
    assert "(broker_unavailable)" in said
    assert "rabbitmq-server" in said
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "var" / "log").exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("No such thing."), console.USAGE),
        (ModelError("Damaged [file].", code="model_damaged", hint="Pull it."), console.FAILED),
    ],
)
def test_errors_become_exit_codes(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    with pytest.raises(SystemExit) as left:
        console.run(fail)
    assert left.value.code == code
    assert str(error) in capsys.readouterr().err


def test_help_and_version_are_no_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from octavia import __version__

    assert run(monkeypatch, "--help") == console.DONE
    assert "transcribe" in capsys.readouterr().out
    assert run(monkeypatch, "version") == console.DONE
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    ("command", "said"),
    [("dub", "FILE-COMMAND"), ("dub", "OCTAVIA_WORKER_SLOTS"), ("serve", "OCTAVIA_PORT"), ("worker", "if not given")],
)
def test_help_says_what_is_taken_for_what_is_not_given(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, command, "--help") == console.DONE
    assert said in capsys.readouterr().out


def test_the_database_is_made_and_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # Given no database yet, a check says how to make one
    assert run(monkeypatch, "db", "upgrade") == console.DONE
    assert "octavia.db is up to date" in capsys.readouterr().out

    # Then a check is content
    assert run(monkeypatch, "db", "check") == console.DONE
    assert "of this release" in capsys.readouterr().out


def test_a_fault_of_ours_has_its_traceback_and_no_login(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a library that raises what nobody expects, with a URL
    def broken(_: object) -> None:
        raise LookupError("nothing at amqp://octavia:kestrel@rabbit")

    monkeypatch.setattr("octavia.cli.database.opened", lambda: broken(None))
    # Then the traceback says where, and not the password
    assert run(monkeypatch, "db", "check") == console.FAILED
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("LookupError: nothing at amqp://…@rabbit\n")


def test_certificates_are_read_before_the_service_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("OCTAVIA_BROKER_URL", f"amqps://octavia:kestrel@rabbit?cacertfile={tmp_path}/ca.pem")
    monkeypatch.setenv("OCTAVIA_PORT", str(free_port()))
    get_settings.cache_clear()
    for command in ("serve", "worker"):
        assert run(monkeypatch, command) == console.USAGE
        shown = capsys.readouterr().err
        assert shown.startswith("error: The files for TLS in OCTAVIA_BROKER_URL cannot be used")
        assert "kestrel" not in shown


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OCTAVIA_URL", "http://octavia:kestrel/plover@127.0.0.1:1", "The address of the server has "),
        ("https_proxy", "http://octavia:kestrel/plover@127.0.0.1:1", "The server cannot be asked: the proxy in "),
    ],
)
def test_an_address_of_a_server_is_checked_too(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert run(monkeypatch, "jobs", "list") == console.USAGE
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {said}")
    assert not [part for part in ("kest", "plov") if part in shown]
