"""``octavia models`` as a user runs it, against the packaged catalogue and a store of its own."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from octavia.catalog import tree
from octavia.cli import console, models
from octavia.cli.app import app
from octavia.settings import get_settings
from tests.support.hub import StandInHub

VOICE = {"es_AR-pia-high.onnx": b"p", "es_AR-pia-high.onnx.json": b'{"language": {"code": "es_AR"}}'}


class Result(NamedTuple):
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


Run = Callable[..., Result]


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub() as hub:
        yield hub


@pytest.fixture
def run(
    tmp_path: Path, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["octavia", "models", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            console.run(app)
        assert isinstance(left.value.code, int)
        return Result(left.value.code, *capsys.readouterr())

    monkeypatch.setenv("OCTAVIA_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("OCTAVIA_HUB_URL", hub.url)
    # Logging belongs to the whole process, and the captured stderr is gone after the test.
    monkeypatch.setattr("octavia.observability.configure", lambda settings: None)
    get_settings.cache_clear()
    yield run
    get_settings.cache_clear()


def test_list_shows_every_model_on_a_line(run: Run) -> None:
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["id", "task", "languages", "size", "licence", "installed"]
    assert [line.split()[:3] for line in lines if line.startswith("en-es")] == [["en-es", "translation", "en→es"]]
    assert all(line.split()[-1] != "…" for line in lines)


def test_list_of_one_task_and_of_what_is_installed(run: Run) -> None:
    lines = run("list", "--task", "translation", "--installed").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["en-es"]
    assert lines[0].split()[-2:] == ["yes", "(bundled)"]


def test_list_long_prints_the_digest_of_what_is_installed(run: Run) -> None:
    text = run("list", "--long", "--installed", "--task", "translation").stdout
    folder = Path(models.__file__).parent.parent / "catalog" / "bundled" / "en-es"
    files = ("config.json", "model.bin", "*.spm", "*vocabulary.*")
    assert f"sha256     {tree.digest(tree.scan(folder, files))}" in text


def test_pull_of_what_is_installed_verifies_it_without_a_network(run: Run, hub: StandInHub) -> None:
    result = run("pull", "en-es")
    assert result.exit_code == 0
    assert "en-es: already installed, verified, 22.0 MB, sha256 " in result.stdout
    assert not hub.downloads


def test_pull_fetches_says_so_and_then_only_verifies(run: Run, hub: StandInHub) -> None:
    # Given a hub with a voice
    stem = "it_IT-paola-medium"
    hub.add(
        "rhasspy/piper-voices", {f"it/it_IT/paola/medium/{stem}.onnx{end}": b"{}" for end in ("", ".json")}, "v1.0.0"
    )
    # When it is pulled
    result = run("pull", stem)
    # Then it says from where, how large and with which digest
    assert result.exit_code == 0, result.output
    assert f"{stem}: installed, " in result.stdout
    assert "from hf:rhasspy/piper-voices@v1.0.0" in result.stdout
    # And the second time nothing is downloaded
    before = dict(hub.downloads)
    assert f"{stem}: already installed, verified" in run("pull", stem).stdout
    assert dict(hub.downloads) == before
    # And --force does
    assert run("pull", "--force", stem).exit_code == 0
    assert dict(hub.downloads) != before


def test_pull_tries_all_and_tells_what_failed(run: Run) -> None:
    result = run("pull", "de_DE-thorsten-medium", "en-es")
    assert result.exit_code == 1
    assert "en-es: already installed" in result.stdout
    assert "de_DE-thorsten-medium could not be fetched" in result.stderr
    assert "(model_unavailable)" in result.stderr


def test_pull_of_an_unknown_model_is_bad_usage_and_fetches_nothing(run: Run, hub: StandInHub) -> None:
    result = run("pull", "it_IT-paola-medium", "nope")
    assert result.exit_code == 2
    assert "(unknown_model)" in result.stderr
    assert not hub.downloads


def test_import_of_a_voice_makes_it_a_model(run: Run, tmp_path: Path) -> None:
    for name, content in VOICE.items():
        (tmp_path / name).write_bytes(content)
    result = run("import", tmp_path / "es_AR-pia-high.onnx", "--licence", "CC0-1.0")
    assert result.exit_code == 0, result.output
    assert "es_AR-pia-high: installed, " in result.stdout
    assert "is not in the catalogue: voice, es" in result.stdout
    assert "CC0-1.0" in run("list", "--installed", "--task", "voice").stdout
    manifest = json.loads((tmp_path / "models" / "es_AR-pia-high" / tree.MANIFEST).read_text())
    assert manifest["sha256"] in result.stdout


def test_import_of_a_hub_model_says_that_there_was_nothing_to_compare(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    for end in (".onnx", ".onnx.json"):
        (folder / f"fr_FR-siwis-medium{end}").write_bytes(b"{}")
    result = run("import", folder, "--id", "fr_FR-siwis-medium")
    assert result.exit_code == 0, result.output
    assert "The catalogue has no sha256 to compare with" in result.stdout


def test_import_of_the_wrong_files_fails_and_names_both_digests(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    for end in (".onnx", ".onnx.json"):
        (folder / f"en_US-joe-medium{end}").write_bytes(b"{}")
    result = run("import", folder, "--id", "en_US-joe-medium")
    assert result.exit_code == 1
    assert "the catalogue says sha256 9813550a" in result.stderr
    assert "(model_damaged)" in result.stderr


def test_import_without_the_languages_is_bad_usage(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "opus"
    folder.mkdir()
    for name in ("model.bin", "source.spm", "target.spm"):
        (folder / name).write_bytes(b"x")
    result = run("import", folder)
    assert result.exit_code == 2
    assert "--languages en,es" in result.stderr
    assert run("import", folder, "--languages", "en,eu").exit_code == 0
