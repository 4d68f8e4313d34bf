"""The real hub client against a stand-in over HTTP."""

import dataclasses
import json
from pathlib import Path

import pytest

from octavia.catalog import Model, Store, Task, tree
from octavia.errors import ModelError
from octavia.settings import Settings
from tests.integration.catalog.conftest import FILES
from tests.support.hub import StandInHub


def reason(store: Store, model: Model) -> str:
    """Return the reason that a model cannot be pulled, and check that nothing of it is left."""
    with pytest.raises(ModelError) as caught:
        store.pull(model)
    assert caught.value.code == "model_unavailable"
    assert not store.installed(model)
    assert not (store.models_dir / model.id).exists()
    assert not list((store.models_dir / ".pulls").iterdir())
    return caught.value.message


def test_the_wanted_files_come_and_are_pinned(store: Store, model: Model, hub: StandInHub) -> None:
    # When a model is pulled from the hub
    seen: list[tuple[str, int, int | None]] = []
    folder = store.pull(model, lambda *progress: seen.append(progress))
    # Then its files are there, those that are not wanted are not, and their digest is pinned
    names = ["config.json", "model.bin", "vocabulary.txt"]
    assert sorted(path.name for path in folder.iterdir() if path.name != tree.MANIFEST) == names
    assert all((folder / name).read_bytes() == FILES[name] for name in names)
    assert store.digest(model) == tree.digest(tree.scan(folder))
    # And the progress is that of the whole model
    total = sum(len(FILES[name]) for name in names)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1] == ("vocabulary.txt", total, total)
    assert hub.downloads == dict.fromkeys(names, 1)


def test_a_folder_of_a_large_repository(store: Store, hub: StandInHub) -> None:
    # Given a repository of many voices, listed in pages
    stem = "es_ES-demo-medium"
    hub.add("rhasspy/voices", {f"es/{stem}/{stem}.onnx{end}": b"x" * 2000 for end in ("", ".json")}, "v1.0.0")
    hub.page_size = 1
    voice = Model(
        stem,
        Task.VOICE,
        "piper",
        sources=(f"hf:rhasspy/voices@v1.0.0#es/{stem}",),
        files=(f"{stem}.onnx", f"{stem}.onnx.json"),
    )
    # Then its files lie at the root of the model's folder
    assert (store.pull(voice) / f"{stem}.onnx").exists()
    assert (store.path(voice) / f"{stem}.onnx.json").exists()


def test_a_broken_connection_goes_on_where_it_stopped(
    store: Store, model: Model, hub: StandInHub, no_waiting: list[float]
) -> None:
    hub.cuts["model.bin"] = [40_960, 8192, 0]
    store.pull(model)
    assert store.path(model, deep=True)
    assert [asked for asked in hub.ranges if asked] == ["bytes=40960-", "bytes=49152-", "bytes=49152-"]


def test_a_hub_that_cannot_resume_sends_it_again(
    store: Store, model: Model, hub: StandInHub, no_waiting: list[float]
) -> None:
    hub.cuts["model.bin"] = [40_960]
    hub.ignores_range = True
    store.pull(model)
    assert store.path(model, deep=True)


def test_a_connection_that_brings_nothing_is_given_up(
    store: Store, model: Model, hub: StandInHub, no_waiting: list[float]
) -> None:
    hub.cuts["model.bin"] = [4096] + [0] * 20
    assert "breaks off again and again" in reason(store, model)
    assert hub.downloads["model.bin"] == 5
    assert no_waiting == sorted(no_waiting)


@pytest.mark.parametrize("what", ["tree", "model.bin"])
def test_a_hub_that_is_busy_is_asked_again(
    store: Store, model: Model, hub: StandInHub, no_waiting: list[float], what: str
) -> None:
    hub.status[what] = [503, 429]
    store.pull(model)
    assert store.path(model, deep=True)
    assert no_waiting == [0.5, 1.0]


@pytest.mark.parametrize("what", ["tree", "model.bin"])
def test_a_hub_that_stays_busy_is_given_up(
    store: Store, model: Model, hub: StandInHub, no_waiting: list[float], what: str
) -> None:
    hub.status[what] = [503] * 20
    assert "503" in reason(store, model) or "busy" in reason(store, model)
    assert len(no_waiting) < 20


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_damaged_bytes_never_become_a_model(store: Store, model: Model, hub: StandInHub, name: str) -> None:
    # Given a file that comes with one bit wrong: a large one, known by its sha256, or a small one, by its git blob
    hub.wrong.add(name)
    # Then the pull fails and says which file, and both digests
    assert f"{name} is damaged: the hub declares" in reason(store, model)


def test_a_repository_that_changed_is_not_what_the_catalogue_pins(store: Store, model: Model, hub: StandInHub) -> None:
    pinned = dataclasses.replace(model, sha256="0" * 64)
    assert f"the catalogue says sha256 {'0' * 64}" in reason(store, pinned)


@pytest.mark.parametrize("listing", [b"<html>Please log in</html>", b'{"error": "x"}', b'["x"]', b'[{"type": "file"}]'])
def test_an_answer_that_is_no_listing_is_refused(store: Store, model: Model, hub: StandInHub, listing: bytes) -> None:
    hub.listing = listing
    assert "does not answer as a model hub does" in reason(store, model)


def test_an_address_that_is_none(tmp_path: Path, model: Model) -> None:
    store = Store(tmp_path / "models", hub_url="no address")
    assert "…: UnsupportedProtocol" in reason(store, model)


def test_nothing_there(store: Store, model: Model) -> None:
    elsewhere = dataclasses.replace(model, sources=("hf:team/other@c0ffee", "hf:team/whisper-demo@other"))
    message = reason(store, elsewhere)
    assert "127.0.0.1 has no team/other@c0ffee (404)" in message
    assert "127.0.0.1 has no team/whisper-demo@other (404)" in message


def test_a_file_that_is_gone_from_the_repository(store: Store, model: Model, hub: StandInHub) -> None:
    # Given a repository without the weights, as there are some
    hub.add("team/whisper-demo", {"config.json": b"{}", "vocabulary.txt": b"a"}, "c0ffee")
    assert "missing model.bin" in reason(store, model)


def test_a_token_is_asked_for_by_name_and_used(
    store: Store, model: Model, hub: StandInHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a repository that only some may read
    hub.token = "secret"
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert "needs a token in HF_TOKEN" in reason(store, model)
    # When the token is set, it is read, and the CDN of another name never hears the token
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert store.pull(model)
    assert set(hub.cdn_tokens) == {None}


def test_a_hub_out_of_reach_fails_soon(tmp_path: Path, model: Model, no_waiting: list[float]) -> None:
    store = Store.of(Settings(models_dir=tmp_path / "models", hub_url="http://127.0.0.1:1"))
    assert "http://127.0.0.1:1 cannot be reached" in reason(store, model)
    assert len(no_waiting) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HTTPS_PROXY", "http://octavia:kestrel/plover@proxy", "the proxy in HTTPS_PROXY has"),
        (
            "HTTPS_PROXY",
            "gopher://octavia:kestrel-plover@proxy",
            "the proxy in HTTPS_PROXY does not begin with http://",
        ),
        ("SSL_CERT_FILE", "/missing/ca.pem", "no connection can be made"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(
    store: Store, model: Model, variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert said in reason(store, model)
    assert "kestrel" not in reason(store, model)


def test_the_login_of_a_mirror_is_not_shown(tmp_path: Path, model: Model, no_waiting: list[float]) -> None:
    settings = Settings(models_dir=tmp_path / "models", hub_url="http://octavia:kestrel@127.0.0.1:1/mirror")
    assert "http://127.0.0.1:1/mirror cannot be reached" in reason(Store.of(settings), model)
    assert "kestrel" not in reason(Store.of(settings), model)


def test_the_next_source_is_taken_when_the_hub_fails(store: Store, model: Model, hub: StandInHub) -> None:
    hub.add("mirror/whisper-demo", FILES)
    both = dataclasses.replace(model, sources=("hf:team/gone", "hf:mirror/whisper-demo"))
    store.pull(both)
    where = store.where(both)
    assert where is not None
    assert where.source == "hf:mirror/whisper-demo"


class TestAHubThatSendsTooMuch:
    def test_more_than_the_catalogue_says_is_not_fetched(self, store: Store, model: Model, hub: StandInHub) -> None:
        # Given a repository whose files are far larger than the model
        hub.add("team/whisper-demo", {**FILES, "model.bin": bytes(40_000_000)}, "c0ffee")
        # Then nothing is downloaded
        assert "lists 40000019 bytes for a model of 102400" in reason(store, dataclasses.replace(model, size=102_400))
        assert not hub.downloads

    def test_more_than_it_lists_is_not_written(self, store: Store, model: Model, hub: StandInHub) -> None:
        # Given a hub that lists a small file and sends a large one
        hub.listing = json.dumps(
            [{"type": "file", "path": name, "size": 10, "oid": "0" * 40} for name in FILES if name != "README.md"]
        ).encode()
        assert "does not end after the 10 bytes that the hub lists" in reason(store, model)

    def test_a_listing_without_an_end_is_left(self, store: Store, model: Model, hub: StandInHub) -> None:
        # Given a hub whose pages always name another one, and have nothing in them
        hub.listing, hub.page_size = b"[]", 0
        assert "lists more than 10000 entries" in reason(store, model)

    def test_a_listing_without_bounds_is_left(self, store: Store, model: Model, hub: StandInHub) -> None:
        hub.listing = b"[" + b" " * 20_000_000 + b"]"
        assert "in more than 16777216 bytes" in reason(store, model)

    @pytest.mark.parametrize("listing", [b"[" * 200_000, b"[1]", b'[{"type": "file"}]', b'{"a": 1}'])
    def test_a_listing_that_is_none_is_said_to_be_one(
        self, store: Store, model: Model, hub: StandInHub, listing: bytes
    ) -> None:
        hub.listing = listing
        assert "does not answer as a model hub does" in reason(store, model)

    @pytest.mark.parametrize("path", ["../model.bin", "/model.bin", "a/" * 2000 + "model.bin", "a\nmodel.bin"])
    def test_a_path_that_no_model_has_is_refused(self, store: Store, model: Model, hub: StandInHub, path: str) -> None:
        hub.listing = json.dumps([{"type": "file", "path": path, "size": 1, "oid": ""}]).encode()
        wide = dataclasses.replace(model, files=("*",))
        assert "lists a path that no model has" in reason(store, wide)
