"""What the synthesize actor keeps of what it has spoken."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from octavia import work as current_work
from octavia.actors.synthesize import synthesize
from octavia.engines.types import Audio
from octavia.storage import Storage, StoredObject
from octavia.utterances import Utterance
from octavia.work import Work

# The package names the actor like its module.
module = import_module("octavia.actors.synthesize")


class Desk:
    """As much of a task in hand as speaking one chunk uses; its voice is counted."""

    def __init__(self, storage: Storage) -> None:
        voice = {"voice": "joe", "sha256": "0" * 64}
        self.job = SimpleNamespace(id="1", type="dub", input={"kind": "media"}, models={"voice": voice}, options={})
        self.storage = storage
        self.spoken: list[str] = []
        self.kept: list[StoredObject] = []

    def read_json(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return [Utterance(f"0-{n}", 0, 0.0, 1.0, text, text, ()).to_dict() for n, text in enumerate(("One.", "Two."))]

    def voice(self, _: object, pin: object) -> "Desk":
        return self

    def synthesize(self, text: str, *, speed: float) -> Audio:
        self.spoken.append(text)
        return Audio(np.zeros(1600, dtype=np.float32), 16_000)

    def reuse(self, name: str, stored: StoredObject, media_type: str) -> None:
        self.kept.append(stored)

    def checkpoint(self, fraction: float) -> None: ...

    def save_json(self, *_: object) -> None: ...


def test_an_utterance_that_is_gone_is_spoken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a chunk that was spoken by an attempt before
    storage = Storage(f"file://{tmp_path}")
    first = Desk(storage)
    monkeypatch.setattr(module, "loaded", lambda: first)
    current_work.set_current(cast(Work, first))
    synthesize("", run=1, chunk=0, format=1)
    assert first.spoken == ["One.", "Two."]
    # When the file of one of its utterances has vanished, and the chunk is spoken again
    (tmp_path / first.kept[0].key).unlink()
    again = Desk(storage)
    monkeypatch.setattr(module, "loaded", lambda: again)
    current_work.set_current(cast(Work, again))
    synthesize("", run=1, chunk=0, format=1)
    # Then that one is spoken, the other is taken as it is, and both are there, the same as before
    assert again.spoken == ["One."]
    assert [stored.key for stored in again.kept] == [stored.key for stored in first.kept]
    assert all(storage.exists(stored.key) for stored in again.kept)
