"""A store in a fresh folder, and a model that a folder of this machine gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from octavia.catalog import Model, Store, Task, sources, tree
from octavia.catalog import store as store_module
from octavia.catalog.sources import Progress
from octavia.settings import Settings


@dataclass
class FakeSource:
    """Gives ``files``, or raises ``error``; counts how often it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    error: Exception | None = None
    asked: int = 0
    folder: Path | None = None

    def in_place(self) -> Path | None:
        return self.folder

    def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
        self.asked += 1
        if self.error:
            raise self.error
        for name, content in self.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)
            progress(name, len(content), model.size)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.of(Settings(models_dir=tmp_path / "models", hub_url="http://nowhere.invalid"))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeSource]:
    """Sources by name: a model with the source ``fake:NAME`` gets that one; others are the real ones."""
    known: dict[str, FakeSource] = {}
    real = sources.parse

    def parse(source: str, *, hub_url: str) -> sources.Source:
        return known[source.removeprefix("fake:")] if source.startswith("fake:") else real(source, hub_url=hub_url)

    monkeypatch.setattr(store_module.sources, "parse", parse)
    return known


FILES = {"model.bin": b"weights" * 1000, "config.json": b"{}"}


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Model]:
    """A model of ``FILES``, its digest pinned unless told otherwise."""

    def make(*names: str, pinned: bool = True, model_id: str = "demo", size: int = 7002) -> Model:
        folder = tmp_path / "measured"
        folder.mkdir(exist_ok=True)
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
        return Model(
            model_id,
            Task.SPEECH,
            "whisper",
            ("en",),
            size=size,
            sha256=tree.digest(tree.scan(folder)) if pinned else "",
            sources=tuple(f"fake:{name}" for name in names),
            files=("model.bin", "config.json"),
        )

    return make
