import dataclasses
import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from octavia.catalog import Model, Store, tree
from octavia.catalog.sources import Progress, SourceError
from octavia.errors import ModelError
from tests.unit.catalog.conftest import FILES, FakeSource

Make = Callable[..., Model]
Fakes = dict[str, FakeSource]


def touch(file: Path) -> None:
    """Give a file another time of change, also where the file system's clock has not moved since it was written."""
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


class TestPull:
    def test_what_a_source_gives_is_installed_whole(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        # Given a source that has the model
        fakes["good"] = FakeSource(FILES)
        model, seen = make_model("good"), []
        # When it is pulled
        folder = store.pull(model, lambda *progress: seen.append(progress))
        # Then its files and a manifest are there, and nothing is left of the work
        assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != tree.MANIFEST} == FILES
        assert json.loads((folder / tree.MANIFEST).read_text())["sha256"] == model.sha256
        assert names(store.models_dir) == ["demo"]
        assert not list((store.models_dir / ".pulls").iterdir())
        assert seen == [("model.bin", 7000, 7002), ("config.json", 2, 7002)]
        assert store.path(model) == folder
        assert store.digest(model) == model.sha256

    def test_a_second_pull_asks_no_source(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["good"] = FakeSource(FILES)
        model = make_model("good")
        assert store.pull(model) == store.pull(model)
        assert fakes["good"].asked == 1

    def test_sources_are_tried_in_order(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["down"] = FakeSource(error=SourceError("it is down"))
        fakes["wrong"] = FakeSource({**FILES, "model.bin": b"other"})
        fakes["good"], fakes["never"] = FakeSource(FILES), FakeSource(FILES)
        model = make_model("down", "wrong", "good", "never")
        store.pull(model)
        where = store.where(model)
        assert where is not None
        assert where.source == "fake:good"
        assert [fakes[name].asked for name in ("down", "wrong", "good", "never")] == [1, 1, 1, 0]

    def test_when_none_can_each_says_why(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["down"] = FakeSource(error=SourceError("npm is not installed"))
        fakes["wrong"] = FakeSource({**FILES, "model.bin": b"other"})
        fakes["half"] = FakeSource({"model.bin": b"weights"})
        model = make_model("down", "wrong", "half")
        with pytest.raises(ModelError) as caught:
            store.pull(model)
        assert caught.value.code == "model_unavailable"
        assert "fake:down: npm is not installed; " in caught.value.message
        assert f"fake:wrong: the catalogue says sha256 {model.sha256}" in caught.value.message
        assert "fake:half: missing config.json" in caught.value.message
        assert "octavia models import" in caught.value.hint
        assert not store.installed(model)
        assert names(store.models_dir) == []

    def test_without_a_pin_the_digest_is_noted(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["good"] = FakeSource(FILES)
        model = make_model("good", pinned=False)
        store.pull(model)
        assert store.digest(model) == make_model("good").sha256

    def test_an_error_of_ours_is_not_hidden_by_the_next_source(
        self, store: Store, fakes: Fakes, make_model: Make
    ) -> None:
        fakes["broken"] = FakeSource(error=ZeroDivisionError("bug"))
        with pytest.raises(ZeroDivisionError):
            store.pull(make_model("broken"))
        assert names(store.models_dir) == []

    def test_what_a_killed_pull_left_is_removed(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["good"] = FakeSource(FILES)
        left = store.models_dir / ".pulls" / "demo" / "tmp123"
        other = store.models_dir / ".pulls" / "demo-two" / "tmp456"
        for folder in (left, other):
            folder.mkdir(parents=True)
            (folder / "model.bin").write_bytes(b"half")
        store.pull(make_model("good"))
        assert not left.exists()
        assert other.exists(), "another model's pull may be at work there"

    def test_threads_that_want_one_model_fetch_it_once(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        # Given a source that is still busy when the second asks
        started, go = threading.Event(), threading.Event()

        class Slow(FakeSource):
            def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
                started.set()
                assert go.wait(60)
                super().fetch(model, target, scratch, progress)

        fakes["slow"] = Slow(FILES)
        model, folders = make_model("slow"), []
        threads = [threading.Thread(target=lambda: folders.append(store.pull(model))) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert started.wait(60)
        go.set()
        for thread in threads:
            thread.join(60)
        assert folders == [store.models_dir / "demo"] * 4
        assert fakes["slow"].asked == 1


class TestNoSpace:
    def test_it_is_seen_before_anything_is_fetched(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["good"] = FakeSource(FILES)
        with pytest.raises(ModelError) as caught:
            store.pull(make_model("good", size=10**18))
        assert caught.value.code == "storage_full"
        assert "OCTAVIA_MODELS_DIR" in caught.value.hint
        assert fakes["good"].asked == 0

    def test_a_disk_that_fills_up_leaves_nothing(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        # Given a source that meets a full device, as the kernel really reports it
        class Full(FakeSource):
            def fetch(self, model: Model, target: Path, scratch: Path, progress: Progress) -> None:
                (target / "model.bin").write_bytes(b"some")
                with open("/dev/full", "wb", buffering=0) as device:
                    device.write(b"more")

        fakes["full"], fakes["next"] = Full(), FakeSource(FILES)
        # When it is pulled
        with pytest.raises(ModelError) as caught:
            store.pull(make_model("full", "next"))
        # Then that is what is said, and no other source is asked to fill it too
        assert caught.value.code == "storage_full"
        assert fakes["next"].asked == 0
        assert names(store.models_dir) == []

    def test_a_command_that_says_so_is_understood(self, store: Store, fakes: Fakes, make_model: Make) -> None:
        fakes["pip"] = FakeSource(error=SourceError(f"ERROR: {os.strerror(errno.ENOSPC)}"))
        with pytest.raises(ModelError) as caught:
            store.pull(make_model("pip"))
        assert caught.value.code == "storage_full"

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path, make_model: Make, store: Store, fakes: Fakes) -> None:
        fakes["good"] = FakeSource(FILES)
        store.models_dir = tmp_path / "file" / "models"
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(ModelError, match="cannot be written"):
            store.pull(make_model("good"))


class TestPath:
    @pytest.fixture
    def model(self, store: Store, fakes: Fakes, make_model: Make) -> Model:
        fakes["good"] = FakeSource(FILES)
        model = make_model("good")
        store.pull(model)
        return model

    def test_not_installed_names_the_command(self, store: Store, make_model: Make) -> None:
        model = make_model()
        for ask in (store.path, lambda model: store.path(model, deep=True), store.digest):
            with pytest.raises(ModelError) as caught:
                ask(model)
            assert caught.value.code == "model_unavailable"
            assert "octavia models pull demo" in caught.value.hint

    def test_a_changed_file_is_named_with_both_digests_and_the_remedy(self, store: Store, model: Model) -> None:
        # Given a file whose contents changed
        file = store.models_dir / "demo" / "model.bin"
        before = tree.sha256_of(file)
        file.write_bytes(b"weightz" * 1000)
        touch(file)
        # When the model is asked for
        with pytest.raises(ModelError) as caught:
            store.path(model)
        # Then the error says everything
        assert caught.value.code == "model_damaged"
        for part in ("demo", "model.bin", before, tree.sha256_of(file)):
            assert part in caught.value.message
        assert "octavia models pull demo --force" in caught.value.hint
        # And pulling without force does not pretend it is fine
        with pytest.raises(ModelError):
            store.pull(model)
        # And with force mends it
        store.pull(model, force=True)
        assert store.path(model)

    def test_a_missing_file_is_damage(self, store: Store, model: Model) -> None:
        (store.models_dir / "demo" / "config.json").unlink()
        with pytest.raises(ModelError, match=r"config\.json .* is missing") as caught:
            store.path(model)
        assert caught.value.code == "model_damaged"

    def test_a_touched_file_is_hashed_once(self, store: Store, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given files that were touched, as a copy or a restore does
        hashed: list[str] = []
        real = tree.entry
        monkeypatch.setattr(tree, "entry", lambda folder, name: (hashed.append(name), real(folder, name))[1])
        touch(store.models_dir / "demo" / "model.bin")
        # When the model is asked for twice
        store.path(model)
        store.path(model)
        # Then only the touched file is read, and only the first time
        assert hashed == ["model.bin"]

    def test_verify_reads_every_file(self, store: Store, model: Model) -> None:
        # Given damage that size and time do not show
        file = store.models_dir / "demo" / "model.bin"
        stat = file.stat()
        file.write_bytes(b"weightz" * 1000)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        # Then the quick look does not see it and the thorough one does
        assert store.path(model)
        with pytest.raises(ModelError) as caught:
            store.path(model, deep=True)
        assert caught.value.code == "model_damaged"

    def test_another_version_than_the_catalogues_is_as_good_as_none(
        self, store: Store, model: Model, fakes: Fakes
    ) -> None:
        # Given a catalogue that has moved on
        newer = {**FILES, "model.bin": b"newer"}
        folder = store.models_dir.parent / "newer"
        folder.mkdir()
        for name, content in newer.items():
            (folder / name).write_bytes(content)
        updated = dataclasses.replace(model, sha256=tree.digest(tree.scan(folder)))
        fakes["good"].files = newer
        # Then the old one does not count, and a pull replaces it
        assert not store.installed(updated)
        assert (store.pull(updated) / "model.bin").read_bytes() == b"newer"
        assert names(store.models_dir) == ["demo"]

    def test_a_manifest_of_rubbish_is_as_good_as_none(self, store: Store, model: Model) -> None:
        (store.models_dir / "demo" / tree.MANIFEST).write_text('{"format": 1, "files": 7}')
        assert not store.installed(model)
        assert store.pull(model)


class TestInPlace:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "package"
        folder.mkdir()
        for name, content in FILES.items():
            (folder / name).write_bytes(content)
        (folder / "__init__.py").write_text("")
        return folder

    def test_it_is_used_where_it_is(self, store: Store, fakes: Fakes, make_model: Make, folder: Path) -> None:
        fakes["here"] = FakeSource(folder=folder)
        model = make_model("here")
        assert store.pull(model) == store.path(model) == folder
        assert fakes["here"].asked == 0
        assert names(store.models_dir) == [], "no copy of it is made"

    @pytest.fixture
    def hashed(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """The folder of the package, as often as it was hashed."""
        calls: list[Path] = []
        real = tree.scan

        def scan(scanned: Path, *patterns: Any) -> Any:
            if scanned == folder:
                calls.append(scanned)
            return real(scanned, *patterns)

        monkeypatch.setattr(tree, "scan", scan)
        return calls

    def test_it_is_hashed_once(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path, hashed: list[Path]
    ) -> None:
        fakes["here"] = FakeSource(folder=folder)
        model = make_model("here")
        store.path(model)
        store.path(model)
        assert hashed == [folder]
        # Nor does another process hash it
        another = Store(store.models_dir, hub_url="")
        another.path(model)
        assert hashed == [folder]
        # Unless it is asked to
        another.path(model, deep=True)
        assert hashed == [folder, folder]

    def test_another_process_sees_damage_that_size_and_time_do_not_show(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path
    ) -> None:
        # Given a model that a process has verified
        fakes["here"] = FakeSource(folder=folder)
        model = make_model("here")
        store.path(model)
        # When a file of it is changed, with its size and its time as before
        file = folder / "model.bin"
        stat = file.stat()
        file.write_bytes(b"weightz" * 1000)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        # Then the next process does not trust the record
        with pytest.raises(ModelError) as caught:
            Store(store.models_dir, hub_url="").path(model)
        assert caught.value.code == "model_damaged"

    @pytest.mark.parametrize("rubbish", ["", "[]", '{"sha256": 7}', "\0", "[" * 100_000])
    def test_a_record_of_rubbish_says_nothing(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path, hashed: list[Path], rubbish: str
    ) -> None:
        # Given a record that was cut short or is of another version
        fakes["here"] = FakeSource(folder=folder)
        model = make_model("here")
        store.path(model)
        record = store.models_dir / ".verified" / "demo.json"
        record.write_text(rubbish)
        # When the next process asks for the model, then it hashes it, and writes the record anew
        Store(store.models_dir, hub_url="").path(model)
        Store(store.models_dir, hub_url="").path(model)
        assert hashed == [folder, folder]

    def test_a_store_that_cannot_be_written_is_no_obstacle(
        self, tmp_path: Path, fakes: Fakes, make_model: Make, folder: Path, hashed: list[Path]
    ) -> None:
        # Given a home that takes no files
        (tmp_path / "file").write_text("no folder")
        fakes["here"] = FakeSource(folder=folder)
        # When two processes ask for a model, then each hashes it for itself
        for _ in range(2):
            assert Store(tmp_path / "file" / "models", hub_url="").path(make_model("here")) == folder
        assert hashed == [folder, folder]

    def test_it_is_hashed_again_when_a_new_release_has_replaced_it(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path
    ) -> None:
        # Given a process that has verified the model
        fakes["here"] = FakeSource(folder=folder)
        model = make_model("here")
        assert store.path(model) == folder
        # When the package is upgraded below it, then it does not take the new files for the old model
        (folder / "model.bin").write_bytes(b"newer weights")
        with pytest.raises(ModelError) as caught:
            store.path(model)
        assert caught.value.code == "model_damaged"

    def test_what_the_store_has_of_another_version_is_removed(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path
    ) -> None:
        # Given the store's copy of an earlier version, and a package with the one of the catalogue
        fakes["here"] = FakeSource({**FILES, "model.bin": b"older"}, folder=None)
        older = dataclasses.replace(make_model("here"), sha256="")
        store.pull(older)
        fakes["here"].folder = folder
        model = make_model("here")
        # Then the package's is used
        assert store.path(model) == folder
        assert store.digest(model) == model.sha256
        # And when it is pulled, only that one is left
        assert store.pull(model) == folder
        assert names(store.models_dir) == []

    def test_damage_is_mended_by_a_copy_in_the_store(
        self, store: Store, fakes: Fakes, make_model: Make, folder: Path
    ) -> None:
        fakes["here"] = FakeSource(FILES, folder=folder)
        model = make_model("here")
        (folder / "model.bin").write_bytes(b"other")
        with pytest.raises(ModelError) as caught:
            store.path(model)
        assert caught.value.code == "model_damaged"
        assert model.sha256 in caught.value.message
        assert "octavia models pull demo --force" in caught.value.hint
        store.pull(model, force=True)
        assert store.path(model) == store.models_dir / "demo"

    def test_a_copy_in_the_store_goes_first(self, store: Store, fakes: Fakes, make_model: Make, folder: Path) -> None:
        fakes["here"] = FakeSource(FILES, folder=folder)
        model = make_model("here")
        store.pull(model, force=True)
        assert store.path(model) == store.models_dir / "demo"
        shutil.rmtree(store.models_dir)
        assert store.path(model) == folder
