from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from octavia.api.openai import voices
from octavia.catalog import Catalog, Model
from octavia.errors import InputError
from octavia.settings import Settings

Make = Callable[..., Any]


@pytest.fixture
def parts() -> Make:
    """An API's parts where only some models are installed."""
    catalog = Catalog.load(Settings())

    def make(*installed: str) -> Any:
        store = SimpleNamespace(installed=lambda model: model.id in installed)
        return SimpleNamespace(catalog=catalog, models=store)

    return make


def chosen(parts: Any, name: str, *, model: str | None = None, language: str | None = None) -> tuple[str, str]:
    known: Model | None = parts.catalog.get(model) if model else None
    owner, voice = voices.choose_voice(parts, name, model=known, language=language)
    return owner.id, voice.id


def test_choose_voice_takes_our_voices_by_id(parts: Make) -> None:
    for name in ("ef_dora", "kokoro/ef_dora"):
        assert chosen(parts("en_US-joe-medium"), name) == ("kokoro", "ef_dora")


def test_a_name_of_openais_is_the_default_voice(parts: Make) -> None:
    # Of what is installed the first, whatever its language
    assert chosen(parts("kokoro", "en_US-joe-medium"), "alloy") == ("en_US-joe-medium", "en_US-joe-medium")
    assert chosen(parts("es_ES-davefx-medium"), "nova") == ("es_ES-davefx-medium", "es_ES-davefx-medium")
    # In the language, and of the model, that are asked for
    assert chosen(parts("kokoro", "en_US-joe-medium"), "alloy", language="es") == ("kokoro", "ef_dora")
    assert chosen(parts("en_US-joe-medium"), "alloy", model="kokoro")[0] == "kokoro"
    # And without any installed, the one that would be fetched for English
    assert chosen(parts(), "alloy") == ("en_US-joe-medium", "en_US-joe-medium")


@pytest.mark.parametrize(
    ("name", "model", "language"),
    [
        ("nobody", None, None),
        ("ef_dora", None, "en"),
        ("ef_dora", "en_US-joe-medium", None),
        ("alloy", None, "zu"),
        ("alloy", "en_US-joe-medium", "es"),
        ("Alloy", None, None),
    ],
)
def test_choose_voice_refuses_unknown_names_and_lists_the_known(
    parts: Make, name: str, model: str | None, language: str | None
) -> None:
    with pytest.raises(InputError) as refused:
        chosen(parts("en_US-joe-medium"), name, model=model, language=language)
    assert (refused.value.code, refused.value.field) == ("voice_unavailable", "voice")
    assert "alloy" in refused.value.hint
    assert "en_US-joe-medium" in refused.value.hint


def test_two_models_may_have_a_voice_of_the_same_name(parts: Make) -> None:
    found = parts("twin")
    (joe,) = [model for model in found.catalog.models if model.id == "en_US-joe-medium"]
    found.catalog = Catalog([joe, replace(joe, id="twin")], Settings())
    assert chosen(found, "en_US-joe-medium")[0] == "twin"
