"""The models that jobs are pinned to."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from octavia.actors import LoadedModels
from octavia.catalog import Catalog, Store
from octavia.errors import ModelError
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.work import Work
from tests.support.job import job

FORMER = "3c3bdb288979317f06d998cb257505685c979821aecf809f5cd0edf0b0de88c9"
"""The digest of the bundled translation model of earlier releases."""


class Desk:
    """As much of a task in hand as loading a translator uses."""

    def __init__(self, sha256: str) -> None:
        pin = {"id": "en-es", "sha256": sha256, "source": "en", "target": "es"}
        self.job = job(JobType.TRANSLATE, "text", models={"translation": [pin]})


def test_a_job_that_began_with_the_former_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that has loaded the bundled model of this release, and a job of an earlier one
    settings = Settings(models_dir=tmp_path / "models")
    models = LoadedModels(settings)
    now = Store.of(settings).digest(Catalog.load(settings).get("en-es"))
    assert now != FORMER
    monkeypatch.setattr(models, "install", lambda work, model: tmp_path)
    monkeypatch.setattr("octavia.engines.load.translator", lambda path, **_: SimpleNamespace(translate=list))
    models.translator(cast(Work, Desk(now)))
    # When the earlier job wants its translator
    with pytest.raises(ModelError) as refused:
        models.translator(cast(Work, Desk(FORMER)))
    # Then it is not given the new one, and says which it had, which there is, and what to do
    assert refused.value.code == "model_changed"
    assert FORMER in refused.value.message
    assert now in refused.value.message
    assert "retry the job from prepare" in refused.value.hint


@pytest.mark.parametrize(("fresh_seconds", "looks"), [(60.0, 1), (0.0, 3)])
def test_a_model_is_pinned_without_a_look_at_its_files_for_each_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_seconds: float, looks: int
) -> None:
    # Given a process that counts how often a model's files are looked at
    models = LoadedModels(Settings(models_dir=tmp_path / "models"), fresh_seconds=fresh_seconds)
    model, seen = models.catalog.get("en-es"), list[str]()
    monkeypatch.setattr(models, "install", lambda work, model: seen.append(model.id))
    # When three jobs are pinned to it
    pins = [models.pin(cast(Work, Desk(FORMER)), model) for _ in range(3)]
    # Then it is looked at anew only once what is known is old
    assert len(seen) == looks
    # And each has a pin of its own
    pins[0]["source"] = "en"
    assert pins[1] == pins[2] == {"id": "en-es", "sha256": models.store.digest(model)}
