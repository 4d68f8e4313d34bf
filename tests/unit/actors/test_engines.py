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
