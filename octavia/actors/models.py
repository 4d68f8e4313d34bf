"""The models that this process has loaded, and the choice of models that a job is pinned to."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from octavia.catalog import Catalog, Model, Store, select
from octavia.engines import load
from octavia.engines.cache import EngineCache
from octavia.engines.types import Recognizer, Translator, Voice
from octavia.errors import InputError, ModelError
from octavia.settings import Settings, get_settings
from octavia.work import Work

_MIB = 1024 * 1024


class LoadedModels:
    """Loads what a job was pinned to, once per process, and keeps it while there is room."""

    def __init__(self, settings: Settings) -> None:
        self.catalog = Catalog.load(settings)
        self.store = Store.of(settings)
        self._settings = settings
        self._cache = EngineCache(settings.engine_cache_mb * _MIB, settings.engine_idle_seconds)

    def recognizer(self, work: Work) -> Recognizer:
        """The job's recogniser."""
        pin = work.job.models["speech"]
        model = self._pinned(pin)
        return self._cache.get(
            ("speech", pin["sha256"]),
            lambda: load.recognizer(self._fetch(work, model, pin), threads=self._settings.engine_threads),
            model.size,
        )

    def translator(self, work: Work) -> Translator:
        """The job's translator: one model, or two chained through a pivot language."""
        pins = work.job.models["translation"]
        legs = [self._leg(work, pin) for pin in pins]
        return legs[0] if len(legs) == 1 else load.chain(legs)

    def voice(self, work: Work) -> Voice:
        """The job's voice."""
        pin = work.job.models["voice"]
        model = self._pinned(pin)
        return self._cache.get(
            ("voice", pin["sha256"], pin["voice"], pin["language"]),
            lambda: load.voice(
                model.engine,
                self._fetch(work, model, pin),
                voice=pin["voice"],
                language=pin["language"],
                threads=self._settings.engine_threads,
            ),
            model.size,
        )

    def _leg(self, work: Work, pin: Mapping[str, str]) -> Translator:
        model = self._pinned(pin)
        return self._cache.get(
            ("translation", pin["sha256"], pin["source"], pin["target"]),
            lambda: load.translator(
                self._fetch(work, model, pin),
                source=pin["source"],
                target=pin["target"],
                threads=self._settings.engine_threads,
            ),
            model.size,
        )

    def _pinned(self, pin: Mapping[str, str]) -> Model:
        return self.catalog.get(pin["id"])

    def _fetch(self, work: Work, model: Model, pin: Mapping[str, str]) -> Any:
        with work.loading():
            if self._settings.auto_pull and not self.store.installed(model):
                self.store.pull(model)
            path = self.store.path(model)
        if self.store.digest(model) != pin["sha256"]:
            raise ModelError(
                f"The model {model.id} is not the one this job began with.",
                code="model_changed",
                hint=f"Give every worker the same {model.id}, or submit the job again to use the new one.",
            )
        return path


@lru_cache(maxsize=1)
def loaded() -> LoadedModels:
    """This process's models."""
    return LoadedModels(get_settings())


def pin_recognizer(models: LoadedModels, work: Work, language: str | None) -> tuple[dict[str, str], Model]:
    """Choose the recogniser for a language, or for one yet to be heard, and fetch it if it must be."""
    model = select.recognizer(models.catalog, models.store, language)
    return _pin(models, work, model), model


def pin_rest(models: LoadedModels, work: Work, source: str) -> dict[str, Any]:
    """Choose translation and voice for a job whose source language is known.

    Raises:
      InputError: ``same_language``, ``unsupported_pair`` or ``voice_unavailable``, before any chunk runs.
    """
    job = work.job
    if job.target_language == source and not job.options.get("revoice"):
        raise InputError(
            f"The input is already in the target language '{source}'.",
            code="same_language",
            hint="Choose another target_language, or set revoice to speak it again in another voice.",
            field="target_language",
        )
    pins: dict[str, Any] = {}
    target = job.target_language or source
    if target != source:
        pins["translation"] = []
        for model, leg_source, leg_target in select.route(models.catalog, models.store, source, target):
            pins["translation"].append({**_pin(models, work, model), "source": leg_source, "target": leg_target})
    if job.type in ("dub", "synthesize"):
        model, voice = select.voice(models.catalog, models.store, target, job.options.get("voice"))
        pins["voice"] = {**_pin(models, work, model), "voice": voice.id, "language": target}
    return pins


def _pin(models: LoadedModels, work: Work, model: Model) -> dict[str, str]:
    with work.loading():
        if not models.store.installed(model):
            models.store.pull(model)
        models.store.path(model)
    return {"id": model.id, "sha256": models.store.digest(model)}
