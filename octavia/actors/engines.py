"""The models that this process has loaded, and the choice of the models that a job is pinned to."""

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from octavia import tracing
from octavia.catalog import Catalog, Model, Store, select
from octavia.engines import load
from octavia.engines.cache import EngineCache
from octavia.engines.types import Recognizer, Translator, Voice
from octavia.errors import ModelError
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.states import JobType
from octavia.settings import Settings
from octavia.work import Work

MODEL = "octavia.model"
"""The attribute of spans with a model's id."""

_MIB = 1024 * 1024

T = TypeVar("T")


class LoadedModels:
    """Loads the models that jobs are pinned to, each once per process, and keeps them while there is room.

    Parameters:
      fresh_seconds: A model whose files were looked at so lately is pinned without another look.
    """

    def __init__(self, settings: Settings, *, fresh_seconds: float = 1.0) -> None:
        self._settings = settings
        self._cache = EngineCache(settings.engine_cache_mb * _MIB, settings.engine_idle_seconds)
        self._fresh_seconds = fresh_seconds
        self._pinned: dict[str, tuple[float, dict[str, str]]] = {}

    @cached_property
    def catalog(self) -> Catalog:
        """All models to choose from. Read when first needed, so that a fault in it fails a task, not the process."""
        return Catalog.load(self._settings)

    @cached_property
    def store(self) -> Store:
        """The folder of installed models."""
        return Store.of(self._settings)

    def recognizer(self, work: Work) -> Recognizer:
        """The recogniser that the job is pinned to."""
        return self._engine(
            work,
            work.job.models["speech"],
            lambda model, path: load.recognizer(path, threads=self._settings.engine_threads),
        )

    def translator(self, work: Work) -> Translator:
        """The translator that the job is pinned to, with its glossary: one model, or two through a pivot language."""
        pins = work.job.models["translation"]
        legs = [self._leg(work, pin) for pin in pins]
        whole = legs[0] if len(legs) == 1 else load.chain(legs)
        return load.keeping(whole, work.job.options.get("glossary") or {}, source=pins[0]["source"])

    def voice(self, work: Work, pin: Mapping[str, str]) -> Voice:
        """The voice of a pin, which ``voice_pin`` gives."""
        return self._engine(
            work,
            pin,
            lambda model, path: load.voice(
                model.engine, path, voice=pin["voice"], language=pin["language"], threads=self._settings.engine_threads
            ),
        )

    def pin(self, work: Work, model: Model) -> dict[str, str]:
        """The id and digest of a model, installed if need be."""
        looked_at, pin = self._pinned.get(model.id, (float("-inf"), {}))
        if time.monotonic() - looked_at > self._fresh_seconds:
            self.install(work, model)
            pin = {"id": model.id, "sha256": self.store.digest(model)}
            self._pinned[model.id] = time.monotonic(), pin
        return dict(pin)

    def install(self, work: Work, model: Model) -> Path:
        """The model's verified folder. A model that is not installed is fetched, if the settings allow it.

        Raises ``ModelError`` if it is not installed and cannot be fetched, or is damaged.
        """
        with work.loading(), tracing.span("verify model", {MODEL: model.id}):
            return self.store.pull(model) if self._settings.auto_pull else self.store.path(model)

    def _leg(self, work: Work, pin: Mapping[str, str]) -> Translator:
        return self._engine(
            work,
            pin,
            lambda model, path: load.translator(
                path, source=pin["source"], target=pin["target"], threads=self._settings.engine_threads
            ),
        )

    def _engine(self, work: Work, pin: Mapping[str, str], load_from: Callable[[Model, Path], T]) -> T:
        """The engine of a pin, loaded if need be; equal pins share an engine."""
        model = self.catalog.get(pin["id"])

        def load_traced() -> T:
            with tracing.span("load model", {MODEL: model.id}):
                return load_from(model, self._pinned_folder(work, model, pin))

        return self._cache.get(frozenset(pin.items()), load_traced, model.size, name=model.id)

    def _pinned_folder(self, work: Work, model: Model, pin: Mapping[str, str]) -> Path:
        path = self.install(work, model)
        found = self.store.digest(model)
        if found != pin["sha256"]:
            raise ModelError(
                f"The model {model.id} is not the one this job began with: it began with sha256 {pin['sha256']}, "
                f"this worker has {found}.",
                code="model_changed",
                hint=f"Give every worker the same {model.id}, or begin again with the new one: retry the job from "
                "prepare, which drops its edits; on the command line --restart.",
            )
        return path


def pin_recognizer(models: LoadedModels, work: Work, language: str | None) -> tuple[dict[str, str], Model]:
    """Choose the recogniser for a language, None if it is not known yet, and install it; returns pin and model."""
    model = select.recognizer(models.catalog, models.store, language, work.job.options.get("speech_model"))
    return models.pin(work, model), model


def pin_rest(models: LoadedModels, work: Work, source: str) -> dict[str, Any]:
    """Choose translation models and voices for a job whose source language is known, and install them.

    A transcription needs none. Raises ``InputError`` (``same_language``, ``unsupported_pair``, ``voice_unavailable``).
    """
    job = work.job
    if job.type == JobType.TRANSCRIBE:
        return {}
    if not (job.options.get("revoice") or job.options.get("keep_language")):
        request_rules.check_languages_differ(source, job.target_language)
    pins: dict[str, Any] = {}
    target = job.target_language or source
    if target != source:
        pins["translation"] = []
        for model, leg_source, leg_target in select.route(models.catalog, models.store, source, target):
            pins["translation"].append({**models.pin(work, model), "source": leg_source, "target": leg_target})
    if job.type in (JobType.DUB, JobType.SYNTHESIZE):
        pins["voice"] = _voice_pin(models, work, target, job.options.get("voice"))
        if voices := job.options.get("voices"):
            pins["voices"] = {voice_id: _voice_pin(models, work, target, voice_id) for voice_id in voices.values()}
    return pins


def voice_pin(models: LoadedModels, work: Work, voice_id: str | None) -> dict[str, str]:
    """The pin of the voice that an edit gives an utterance; None means the job's voice.

    Raises ``InputError`` (``voice_unavailable``), or ``ModelError`` if its model cannot be installed.
    """
    if voice_id is None:
        return dict(work.job.models["voice"])
    if pinned := work.job.models.get("voices", {}).get(voice_id):
        return dict(pinned)
    return _voice_pin(models, work, work.job.result_language, voice_id)


def _voice_pin(models: LoadedModels, work: Work, language: str, voice_id: str | None) -> dict[str, str]:
    model, voice = select.voice(models.catalog, models.store, language, voice_id)
    return {**models.pin(work, model), "voice": voice.id, "language": language}
