"""Choose the model for a piece of work: the first installed one that fits, else one that can be fetched."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from octavia.catalog import languages
from octavia.catalog.listing import Catalog
from octavia.catalog.model import Model, Task, VoiceInfo
from octavia.catalog.store import Store
from octavia.errors import InputError, ModelError

PIVOT = "en"
"""The intermediate language for pairs that have no model of their own."""


class Leg(NamedTuple):
    """One step of a translation: its model, and its source and target language (ISO 639-1)."""

    model: Model
    source: str
    target: str


def recognizer(
    catalog: Catalog,
    store: Store,
    language: str | None,
    model_id: str | None = None,
    *,
    auto_pull: bool | None = None,
) -> Model:
    """Choose the model that recognizes ``language``; None prefers a model that can detect the language.

    If only English-only models are installed, None still returns one of them.

    Parameters:
      model_id: The requested model; None takes the best.
      auto_pull: Allow a model that is not installed, which the caller then pulls; None follows the settings.

    Raises:
      InputError: ``unsupported_source_language``.
      ModelError: ``unknown_model``; ``model_unavailable``: a fitting one exists but must be installed first.
    """
    known = catalog.of(Task.SPEECH)
    fitting = [model for model in known if language is None or language in model.languages]
    if not fitting:
        raise InputError(
            f"No model in the catalogue recognises {languages.name(language or '')}.",
            code="unsupported_source_language",
            field="source_language",
            hint=f"Supported languages: {_listed(code for model in known for code in model.languages)}.",
        )
    if model_id is not None:
        wanted = catalog.get(model_id)
        if wanted not in fitting:
            raise InputError(
                f"The model {model_id} does not recognise {languages.name(language) if language else 'speech'}.",
                code="unsupported_source_language",
                field="source_language",
                hint=f"Models that do: {', '.join(model.id for model in fitting)}.",
            )
        fitting = [wanted]
    elif language is None:
        fitting.sort(key=lambda model: len(model.languages) == 1)  # Multilingual ones first; the sort is stable.
    preferred = _preferred(catalog, catalog.settings.default_speech_model, fitting)
    need = f"to recognise {languages.name(language)}" if language else "to recognise speech"
    return _choose(catalog, store, preferred, need, auto_pull=auto_pull)


def route(
    catalog: Catalog, store: Store, source: str, target: str, *, auto_pull: bool | None = None
) -> tuple[Leg, ...]:
    """Choose the step that translates the pair, or two steps through English.

    Parameters:
      auto_pull: As for ``recognizer``.

    Raises:
      InputError: ``unsupported_pair``; also if both languages are equal.
      ModelError: ``model_unavailable``: fitting models exist but must be installed first.
    """
    if source == target:
        raise InputError(
            f"Source and target language are both {source} ({languages.name(source)}).",
            code="unsupported_pair",
            field="target_language",
            hint="Choose another target language.",
        )
    known = catalog.of(Task.TRANSLATION)
    ways = list(_ways(known, source, target))
    if not ways:
        raise InputError(
            f"No model translates {languages.name(source)} to {languages.name(target)}, nor do two through English.",
            code="unsupported_pair",
            field="target_language",
            hint=_targets_hint(known, source),
        )
    ways = _with_default(catalog, ways)
    for way in ways:
        if all(store.installed(leg.model) for leg in way):
            return way
    # None is installed: prefer models that are free for every use, then one step to two.
    ways.sort(key=lambda way: (any(leg.model.noncommercial for leg in way), len(way)))
    way = ways[0]
    need = f"to translate {languages.name(source)} to {languages.name(target)}"
    missing = [leg.model for leg in way if not store.installed(leg.model)]
    _check_fetching(catalog, missing, need, auto_pull=auto_pull)
    return way


def targets(models: Iterable[Model]) -> dict[str, set[str]]:
    """Map each source language to its target languages, in one step or in two through English."""
    found: dict[str, set[str]] = {}
    for model in models:
        for source, target in model.pairs:
            found.setdefault(source, set()).add(target)
    through = found.get(PIVOT, set())
    for source, known in found.items():
        if PIVOT in known:
            known |= through - {source}
    return found


def may_fetch(model: Model, *, auto_pull: bool) -> bool:
    """Return whether a model may be fetched without being named."""
    return auto_pull and not model.noncommercial


def voice(
    catalog: Catalog, store: Store, language: str, voice_id: str | None = None, *, auto_pull: bool | None = None
) -> tuple[Model, VoiceInfo]:
    """Choose a voice that speaks ``language`` and its model: the requested one, else the first.

    Parameters:
      voice_id: ``VOICE`` or ``MODEL/VOICE``.
      auto_pull: As for ``recognizer``.

    Raises:
      InputError: ``voice_unavailable``: no such voice exists, or it speaks another language.
      ModelError: ``model_unavailable``: its model must be installed first.
    """
    known = [(model, info) for model in catalog.of(Task.VOICE) for info in model.voices]
    speaking = [(model, info) for model, info in known if info.language == language]
    if voice_id is not None:
        named = [(model, info) for model, info in known if voice_id in (info.id, f"{model.id}/{info.id}")]
        if not named:
            raise _no_voice(f"There is no voice {voice_id!r}.", language, speaking)
        fitting = [(model, info) for model, info in named if info.language == language]
        if not fitting:
            speaks = languages.name(named[0][1].language)
            raise _no_voice(
                f"The voice {voice_id} speaks {speaks}, not {languages.name(language)}.", language, speaking
            )
        speaking = fitting
    if not speaking:
        spoken = _listed(info.language for _, info in known)
        raise InputError(
            f"No voice in the catalogue speaks {languages.name(language)}.",
            code="voice_unavailable",
            field="voice",
            hint=f"There are voices for {spoken}; a Piper voice can be added with `octavia models import`.",
        )
    models = list(dict.fromkeys(model for model, _ in speaking))
    need = f"for the voice {voice_id}" if voice_id else f"to speak {languages.name(language)}"
    chosen = _choose(catalog, store, models, need, auto_pull=auto_pull)
    return chosen, next(info for model, info in speaking if model is chosen)


def _ways(known: Sequence[Model], source: str, target: str) -> Iterable[tuple[Leg, ...]]:
    """Yield every way to translate a pair: direct ones, then those through English."""
    for model in known:
        if (source, target) in model.pairs:
            yield (Leg(model, source, target),)
    if PIVOT in (source, target):
        return
    firsts = [model for model in known if (source, PIVOT) in model.pairs]
    seconds = [model for model in known if (PIVOT, target) in model.pairs]
    for first in firsts:
        for second in seconds:
            if first is not second:  # A model that has both steps has the pair itself.
                yield Leg(first, source, PIVOT), Leg(second, PIVOT, target)


def _with_default(catalog: Catalog, ways: list[tuple[Leg, ...]]) -> list[tuple[Leg, ...]]:
    """Keep only the ways that use the operator's default model, if any does."""
    if not catalog.settings.default_translation_model:
        return ways
    default = catalog.get(catalog.settings.default_translation_model)
    return [way for way in ways if any(leg.model is default for leg in way)] or ways


def _preferred(catalog: Catalog, model_id: str, fitting: Sequence[Model]) -> Sequence[Model]:
    """Keep only the operator's default model, if it fits."""
    if not model_id:
        return fitting
    default = catalog.get(model_id)
    return [default] if default in fitting else fitting


def _choose(catalog: Catalog, store: Store, fitting: Sequence[Model], need: str, *, auto_pull: bool | None) -> Model:
    """Choose the first installed model, else the smallest of the suggested ones."""
    for model in fitting:
        if store.installed(model):
            return model
    suggested = [model for model in fitting if model.suggested]
    model = min(suggested, key=lambda model: model.size) if suggested else fitting[0]
    _check_fetching(catalog, [model], need, auto_pull=auto_pull)
    return model


def _check_fetching(catalog: Catalog, missing: Sequence[Model], need: str, *, auto_pull: bool | None) -> None:
    """Check that all missing models may be fetched.

    Raises:
      ModelError: ``model_unavailable``: one may not.
    """
    allowed = catalog.settings.auto_pull if auto_pull is None else auto_pull
    if all(may_fetch(model, auto_pull=allowed) for model in missing):
        return
    ids = " ".join(model.id for model in missing)
    megabytes = sum(model.size for model in missing) // 1_000_000
    notes = [f"{model.id} is {model.licence}: not for commercial use" for model in missing if model.noncommercial]
    raise ModelError(
        f"No model is installed {need}.",
        hint=f"Install one with `octavia models pull {ids}` ({megabytes} MB{''.join(f'; {note}' for note in notes)}).",
    )


def _no_voice(message: str, language: str, speaking: Sequence[tuple[Model, VoiceInfo]]) -> InputError:
    ids = [info.id for _, info in speaking]
    spoken = f"{languages.name(language)} is spoken by {', '.join(ids)}."
    hint = spoken if ids else "`octavia models list --long` shows all."
    return InputError(message, code="voice_unavailable", field="voice", hint=hint)


def _targets_hint(known: Sequence[Model], source: str) -> str:
    targets = [target for model in known for first, target in model.pairs if first == source]
    if not targets:
        return f"Supported source languages: {_listed(first for model in known for first, _ in model.pairs)}."
    return f"{languages.name(source)} is translated to {_listed(targets)}."


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(sorted(set(codes)))
