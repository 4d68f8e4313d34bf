"""The record of the processes that ``octavia up`` started; start times tell them from later users of their pids."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from octavia.files import written_whole
from octavia.private import make_folder

if TYPE_CHECKING:
    import psutil

# Start times are computed from the time of boot, which changes when the clock is set.
_CLOCK_SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its pid, and its start in seconds since 1970."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identify the process that has this pid now, if any."""
        import psutil

        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> "psutil.Process | None":
        """Return the process if it still runs; None if another process has its pid."""
        import psutil

        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """A service that was started.

    Attributes:
      keeper: The process that starts the others, and restarts them when they end.
      api, broker, console: Their URLs; ``console`` is the management console of RabbitMQ, empty if there is none.
      private: True if RabbitMQ is one of the processes.
      processes: The processes of the keeper, by name.
    """

    keeper: Identity
    api: str
    broker: str
    console: str
    private: bool
    processes: Mapping[str, Identity]

    @staticmethod
    def path(var: Path) -> Path:
        """The file of the record."""
        return var / "run" / "service.json"

    def save(self, var: Path) -> None:
        """Write the record."""
        path = self.path(var)
        make_folder(path.parent)
        with written_whole(path) as file:
            file.write(json.dumps(asdict(self), indent=2).encode() + b"\n")

    @classmethod
    def load(cls, var: Path) -> "ServiceRecord | None":
        """Read the record, if there is one."""
        try:
            data = json.loads(cls.path(var).read_text())
        except FileNotFoundError:
            return None
        data["keeper"] = Identity(**data["keeper"])
        data["processes"] = {name: Identity(**identity) for name, identity in data["processes"].items()}
        return cls(**data)

    @property
    def up(self) -> bool:
        """True while the keeper runs."""
        return self.keeper.process() is not None

    def left(self) -> "dict[str, psutil.Process]":
        """The processes that still run, by name, without the keeper."""
        found = {name: identity.process() for name, identity in self.processes.items()}
        return {name: process for name, process in found.items() if process}
