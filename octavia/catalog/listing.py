"""The catalogue: the models of ``catalog.toml``, then those that were imported on this machine."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from octavia.catalog import sources, tree
from octavia.catalog.manifest import Manifest
from octavia.catalog.model import Model, Task
from octavia.errors import ModelError
from octavia.settings import Settings

_FILE = Path(__file__).with_name("catalog.toml")
_MODEL = TypeAdapter(Model)


class Catalog:
    """Every known model, best first within a task.

    Parameters:
      models: In order of preference.
      settings: Name the default models, and say whether others may be fetched.
    """

    def __init__(self, models: Iterable[Model], settings: Settings) -> None:
        self.models = tuple(models)
        self.settings = settings
        self._by_id = {model.id: model for model in self.models}

    @classmethod
    def load(cls, settings: Settings) -> "Catalog":
        """Read the packaged catalogue and the manifests of imported models."""
        known = _packaged()
        ids = {model.id for model in known}
        imported = [model for model in _imported(settings.models_dir) if model.id not in ids]
        # A model imported on purpose is preferred to the catalogue's.
        return cls([*imported, *known], settings)

    def get(self, model_id: str) -> Model:
        """Return the model with this id.

        Raises:
          ModelError: ``unknown_model``; the hint suggests the nearest ids.
        """
        model = self._by_id.get(model_id)
        if model is None:
            near = difflib.get_close_matches(model_id, self._by_id, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise ModelError(
                f"There is no model {model_id!r} in the catalogue.",
                code="unknown_model",
                hint=f"{hint}`octavia models list` shows all of them.",
            )
        return model

    def of(self, task: Task) -> tuple[Model, ...]:
        """Return the models for a task, best first."""
        return tuple(model for model in self.models if model.task is task)


def from_description(entry: Mapping[str, Any]) -> Model:
    """Build a model from plain values, as in the catalogue or a manifest; ``dataclasses.asdict`` reverses it.

    Raises:
      ValueError: A field is missing or has an invalid value.
    """
    return _MODEL.validate_python(entry)


@lru_cache(maxsize=1)
def _packaged() -> tuple[Model, ...]:
    content = tomllib.loads(_FILE.read_text())
    return tuple(_expand(entry, content["groups"]) for entry in content["model"])


def _expand(entry: dict[str, Any], groups: Mapping[str, list[str]]) -> Model:
    """Fill in the fields that ``catalog.toml`` may leave out: languages, their pairs, the size."""
    languages = entry.get("languages", [])
    languages = groups[languages] if isinstance(languages, str) else languages
    if entry.get("pairs") == "all":
        entry = {**entry, "pairs": [(a, b) for a in languages for b in languages if a != b]}
    tables = [source for source in entry["sources"] if not isinstance(source, str)]
    names = [source if isinstance(source, str) else source["source"] for source in entry["sources"]]
    model = from_description({**entry, "languages": languages, "sources": names, "variants": tables})
    named = model.languages or [*chain(*model.pairs), *(voice.language for voice in model.voices)]
    return replace(model, languages=tuple(dict.fromkeys(named)), size=model.size or _bundled_size(model))


def _bundled_size(model: Model) -> int:
    """Count the bytes of a bundled model, so that ``catalog.toml`` need not state its size."""
    for source in model.sources:
        folder = sources.parse(source, hub_url="").in_place() if source.startswith("bundled:") else None
        if folder:
            return sum((folder / name).stat().st_size for name in tree.names(folder, model.files))
    return 0


def _imported(models_dir: Path) -> list[Model]:
    found = []
    for folder in sorted(models_dir.glob("*/")):
        manifest = Manifest.read(folder)
        if manifest and manifest.model:
            with suppress(ValueError):  # Another version wrote it.
                found.append(from_description(manifest.model))
    return found
