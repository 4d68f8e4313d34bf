"""What ``octavia up`` has started, on record: processes named so that a reused pid is never taken for one of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

# The kernel counts from boot, and the clock that makes a date of it may be set in between.
_CLOCK_SLACK = 2.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its pid, and when it started in epoch seconds."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The process that has this pid now, if there is one."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """The process itself, if it is this very one that still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Running:
    """A service that was started.

    Attributes:
      keeper: The process that keeps the others.
      api, broker, console: Where to find them; ``console`` is RabbitMQ's, empty if it has none.
      private: Whether RabbitMQ is one of the processes kept.
      processes: What is kept, by name.
    """

    keeper: Identity
    api: str
    broker: str
    console: str
    private: bool
    processes: Mapping[str, Identity] = field(default_factory=dict)

    @staticmethod
    def path(var: Path) -> Path:
        """Where it is written down."""
        return var / "run" / "service.json"

    def save(self, var: Path) -> None:
        """Write it down, whole."""
        path = self.path(var)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n")
        temporary.replace(path)

    @classmethod
    def load(cls, var: Path) -> "Running | None":
        """What was written down, if anything."""
        try:
            data = json.loads(cls.path(var).read_text())
        except FileNotFoundError:
            return None
        data["keeper"] = Identity(**data["keeper"])
        data["processes"] = {name: Identity(**identity) for name, identity in data["processes"].items()}
        return cls(**data)

    @property
    def up(self) -> bool:
        """Whether its keeper still runs."""
        return self.keeper.process() is not None

    def left(self) -> dict[str, psutil.Process]:
        """Those of its processes that run, the keeper aside."""
        found = {name: identity.process() for name, identity in self.processes.items()}
        return {name: process for name, process in found.items() if process}
