"""What ``octavia up`` has started, on record: processes named so that a reused pid is never taken for one of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

# The kernel counts from boot, and the clock that turns it into a date may be set in between.
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
        """The process itself, if it is this one that still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Running:
    """A service that was started: its keeper, what that keeps, and where it answers."""

    keeper: Identity
    api: str
    broker: str
    console: str
    processes: Mapping[str, tuple[Identity, ...]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write it down whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(asdict(self), indent=2))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Running | None":
        """What was written down, if anything."""
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(
            keeper=Identity(**data["keeper"]),
            api=data["api"],
            broker=data["broker"],
            console=data["console"],
            processes={
                name: tuple(Identity(**identity) for identity in kept) for name, kept in data["processes"].items()
            },
        )

    @property
    def up(self) -> bool:
        """Whether its keeper still runs."""
        return self.keeper.process() is not None

    def left(self) -> list[psutil.Process]:
        """Those of its processes that still run, the keeper aside."""
        found = (identity.process() for kept in self.processes.values() for identity in kept)
        return [process for process in found if process]
