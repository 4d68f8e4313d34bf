"""The page on containers names commands, services, variables and files that exist."""

import re
import shlex
from pathlib import Path

import yaml

from octavia.settings import Settings
from scripts.settings_table import EXAMPLE
from tests.support.command_lines import check_command

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "containers.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
# Of the command line, beside the settings.
OF_CLIENTS = {"OCTAVIA_URL", "OCTAVIA_API_KEY"}


def commands() -> list[list[str]]:
    """The words of each command in a block of code, without the variables before it and the comment after it."""
    found = []
    for block in re.findall(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            found.append(words[: words.index("<") if "<" in words else len(words)])
    return found


def test_commands_of_octavia_can_be_given() -> None:
    # Given every command of Octavia in containers, in pods, and in the text
    before = {*COMPOSE["services"], "--"}
    given = [
        words[place + 1 :]
        for words in commands()
        for place, word in enumerate(words)
        if word == "octavia" and words[place - 1] in before
    ]
    given += [shlex.split(line)[1:] for line in re.findall(r"`(octavia [a-z][^`…]*)`", PAGE)]

    # Then the command line takes it
    assert len(given) > 10
    for words in given:
        check_command(words)


def test_services_that_commands_name_exist() -> None:
    services = set(COMPOSE["services"])
    workers = [word for words in commands() if "compose" in words for word in words if word.startswith("worker-")]
    assert workers
    assert set(workers) <= services
    for action in ("run", "exec"):
        named = re.findall(rf"docker compose {action} (?:--?\S+ (?:\"[^\"]*\" )?)*([a-z][\w-]*)", PAGE)
        assert named
        assert set(named) <= services


def test_variables_exist() -> None:
    named = set(re.findall(r"\bOCTAVIA_[A-Z_]*[A-Z]\b", PAGE))
    explained = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", EXAMPLE.read_text(), re.MULTILINE))
    assert named - set(Settings.variables()) - explained - OF_CLIENTS == set()
    for name in ("GRAFANA_PASSWORD", "STOP_GRACE_PERIOD", "EXTRAS", "COMPOSE_PROFILES"):
        assert name in PAGE
        assert name in explained


def test_volumes_are_all_there() -> None:
    table = PAGE.partition("## Volumes")[2].partition("\n\nOctavia's user")[0]
    assert set(re.findall(r"`(\w+)`(?=[,` ][^|]*\| )", table)) - {"s3"} <= set(COMPOSE["volumes"])
    assert set(COMPOSE["volumes"]) <= set(re.findall(r"`(\w+)`", table))
    for service in COMPOSE["services"].values():
        for profile in service.get("profiles", []):
            assert f"`{profile}`" in PAGE
