from collections.abc import Callable
from pathlib import Path

import pytest

from octavia.catalog import Catalog, Model, Store, Task, VoiceInfo, select
from octavia.catalog.select import Leg
from octavia.errors import InputError, ModelError
from octavia.settings import Settings

Setup = Callable[..., tuple[Catalog, Store]]


def speech(model_id: str, *codes: str, suggested: bool = False, size: int = 1) -> Model:
    return Model(model_id, Task.SPEECH, "whisper", codes, suggested=suggested, size=size)


def pair(model_id: str, *pairs: tuple[str, str], licence: str = "MIT") -> Model:
    return Model(model_id, Task.TRANSLATION, "ctranslate", pairs=pairs, licence=licence)


def speaker(model_id: str, *voices: tuple[str, str], suggested: bool = False, size: int = 1) -> Model:
    infos = tuple(VoiceInfo(voice, language) for voice, language in voices)
    return Model(model_id, Task.VOICE, "piper", voices=infos, suggested=suggested, size=size)


class StoreWith(Store):
    """A store in which exactly these ids are installed."""

    def __init__(self, settings: Settings, ids: set[str]) -> None:
        super().__init__(settings.models_dir, hub_url=settings.hub_url)
        self.ids = ids

    def installed(self, model: Model) -> bool:
        return model.id in self.ids


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    def make(*models: Model, installed: str = "", **settings: object) -> tuple[Catalog, Store]:
        values = Settings(models_dir=tmp_path, auto_pull=False).model_copy(update=settings)
        return Catalog(models, values), StoreWith(values, set(installed.split()))

    return make


BIG, SMALL = speech("big", "en", "es"), speech("small", "en", "es", suggested=True, size=9)
TINY_EN = speech("tiny.en", "en", suggested=True, size=2)


class TestRecognizer:
    def test_the_first_installed_that_fits_is_taken(self, setup: Setup) -> None:
        catalog, store = setup(BIG, SMALL, TINY_EN, installed="small tiny.en")
        assert select.recognizer(catalog, store, "en") is SMALL

    def test_one_for_english_alone_is_never_given_spanish(self, setup: Setup) -> None:
        catalog, store = setup(BIG, SMALL, TINY_EN, installed="tiny.en")
        with pytest.raises(ModelError) as caught:
            select.recognizer(catalog, store, "es")
        assert caught.value.code == "model_unavailable"
        assert "octavia models pull small" in caught.value.hint

    def test_to_hear_the_language_a_multilingual_one_goes_first(self, setup: Setup) -> None:
        catalog, store = setup(TINY_EN, BIG, installed="tiny.en big")
        assert select.recognizer(catalog, store, None) is BIG

    def test_to_hear_the_language_english_alone_is_better_than_none(self, setup: Setup) -> None:
        catalog, store = setup(BIG, TINY_EN, installed="tiny.en")
        assert select.recognizer(catalog, store, None) is TINY_EN

    def test_what_may_be_pulled_is_the_smallest_suggested(self, setup: Setup) -> None:
        catalog, store = setup(BIG, SMALL, TINY_EN, auto_pull=True)
        assert select.recognizer(catalog, store, "en") is TINY_EN
        assert select.recognizer(catalog, store, "es") is SMALL

    def test_the_operators_default_goes_before_what_is_installed(self, setup: Setup) -> None:
        catalog, store = setup(BIG, SMALL, installed="small", default_speech_model="big")
        with pytest.raises(ModelError, match="No model is installed to recognise English"):
            select.recognizer(catalog, store, "en")
        assert select.recognizer(catalog, store, "en", auto_pull=True) is BIG

    def test_a_default_that_does_not_fit_is_passed_over(self, setup: Setup) -> None:
        catalog, store = setup(BIG, TINY_EN, installed="big tiny.en", default_speech_model="tiny.en")
        assert select.recognizer(catalog, store, "es") is BIG

    def test_the_one_that_is_wanted(self, setup: Setup) -> None:
        catalog, store = setup(BIG, SMALL, TINY_EN, installed="big tiny.en", default_speech_model="big")
        assert select.recognizer(catalog, store, "en", "tiny.en") is TINY_EN
        assert select.recognizer(catalog, store, None, "tiny.en") is TINY_EN
        with pytest.raises(InputError) as caught:
            select.recognizer(catalog, store, "es", "tiny.en")
        assert caught.value.code == "unsupported_source_language"
        assert "big, small" in caught.value.hint
        with pytest.raises(ModelError, match="No model is installed"):
            select.recognizer(catalog, store, "en", "small")

    def test_a_language_that_none_knows(self, setup: Setup) -> None:
        catalog, store = setup(TINY_EN)
        with pytest.raises(InputError) as caught:
            select.recognizer(catalog, store, "eu")
        assert (caught.value.code, caught.value.field) == ("unsupported_source_language", "source_language")
        assert "en" in caught.value.hint


EN_ES, ES_EN, EN_FR = pair("en-es", ("en", "es")), pair("es-en", ("es", "en")), pair("en-fr", ("en", "fr"))
ALL = pair("all", *((a, b) for a in ("en", "es", "fr", "de") for b in ("en", "es", "fr", "de") if a != b))
NC = pair("nc", ("es", "fr"), licence="CC-BY-NC-4.0")


class TestRoute:
    def test_a_direct_pair(self, setup: Setup) -> None:
        catalog, store = setup(EN_ES, installed="en-es")
        assert select.route(catalog, store, "en", "es") == (Leg(EN_ES, "en", "es"),)

    def test_through_english_where_there_is_no_direct_pair(self, setup: Setup) -> None:
        catalog, store = setup(EN_ES, ES_EN, EN_FR, installed="es-en en-fr")
        assert select.route(catalog, store, "es", "fr") == (Leg(ES_EN, "es", "en"), Leg(EN_FR, "en", "fr"))

    def test_a_direct_pair_goes_before_two_steps(self, setup: Setup) -> None:
        catalog, store = setup(ES_EN, EN_FR, ALL, installed="es-en en-fr all")
        assert [leg.model for leg in select.route(catalog, store, "es", "fr")] == [ALL]

    def test_installed_steps_go_before_a_direct_pair_that_is_not(self, setup: Setup) -> None:
        catalog, store = setup(ALL, ES_EN, EN_FR, installed="es-en en-fr")
        assert [leg.model for leg in select.route(catalog, store, "es", "fr")] == [ES_EN, EN_FR]

    def test_only_what_is_missing_of_two_steps_is_named(self, setup: Setup) -> None:
        catalog, store = setup(ES_EN, EN_FR, installed="es-en")
        with pytest.raises(ModelError) as caught:
            select.route(catalog, store, "es", "fr")
        assert "`octavia models pull en-fr`" in caught.value.hint

    def test_both_steps_may_be_pulled(self, setup: Setup) -> None:
        catalog, store = setup(ES_EN, EN_FR, auto_pull=True)
        assert [leg.model for leg in select.route(catalog, store, "es", "fr")] == [ES_EN, EN_FR]

    def test_a_model_not_for_commercial_use_is_pulled_only_by_name(self, setup: Setup) -> None:
        catalog, store = setup(NC, auto_pull=True)
        with pytest.raises(ModelError) as caught:
            select.route(catalog, store, "es", "fr")
        assert "octavia models pull nc" in caught.value.hint
        assert "CC-BY-NC-4.0: not for commercial use" in caught.value.hint

    def test_and_two_free_steps_go_before_it(self, setup: Setup) -> None:
        catalog, store = setup(NC, ES_EN, EN_FR, auto_pull=True)
        assert [leg.model for leg in select.route(catalog, store, "es", "fr")] == [ES_EN, EN_FR]

    def test_the_operators_default(self, setup: Setup) -> None:
        catalog, store = setup(EN_ES, ALL, installed="en-es all", default_translation_model="all")
        assert [leg.model for leg in select.route(catalog, store, "en", "es")] == [ALL]

    @pytest.mark.parametrize(("source", "target"), [("es", "es"), ("en", "eu"), ("eu", "es"), ("eu", "ga")])
    def test_what_cannot_be_done(self, setup: Setup, source: str, target: str) -> None:
        catalog, store = setup(EN_ES, ES_EN, installed="en-es es-en")
        with pytest.raises(InputError) as caught:
            select.route(catalog, store, source, target)
        assert caught.value.code == "unsupported_pair"
        assert caught.value.hint

    @pytest.mark.parametrize(
        "models", [(EN_ES,), (EN_ES, ES_EN), (ES_EN, EN_FR), (EN_ES, ES_EN, EN_FR, NC), (NC, EN_FR), (ALL, NC), ()]
    )
    def test_targets_are_what_there_is_a_route_to(self, setup: Setup, models: tuple[Model, ...]) -> None:
        # Given models that are all installed
        catalog, store = setup(*models, installed="en-es es-en en-fr nc all")

        def routed(source: str, target: str) -> bool:
            try:
                return bool(select.route(catalog, store, source, target))
            except InputError:
                return False

        # When their targets are asked for, then those are told to which there is a route, and no others
        codes = ("en", "es", "fr", "de")
        expected = {source: {target for target in codes if routed(source, target)} for source in codes}
        assert select.targets(models) == {source: targets for source, targets in expected.items() if targets}


JOE = speaker("joe", ("joe", "en"), suggested=True, size=2)
KOKORO = speaker("kokoro", ("af_heart", "en"), ("ef_dora", "es"), ("em_alex", "es"), suggested=True, size=3)
DAVE = speaker("dave", ("dave", "es"))


class TestVoice:
    def test_the_first_installed_that_speaks_the_language(self, setup: Setup) -> None:
        catalog, store = setup(JOE, DAVE, KOKORO, installed="joe kokoro")
        model, voice = select.voice(catalog, store, "es")
        assert (model, voice.id) == (KOKORO, "ef_dora")

    def test_a_voice_by_its_id(self, setup: Setup) -> None:
        catalog, store = setup(JOE, KOKORO, installed="joe kokoro")
        assert select.voice(catalog, store, "es", "em_alex")[1].id == "em_alex"
        assert select.voice(catalog, store, "es", "kokoro/em_alex")[1].id == "em_alex"

    def test_an_english_voice_never_speaks_spanish(self, setup: Setup) -> None:
        catalog, store = setup(JOE, KOKORO, installed="joe kokoro")
        with pytest.raises(InputError, match="The voice joe speaks English, not Spanish") as caught:
            select.voice(catalog, store, "es", "joe")
        assert (caught.value.code, caught.value.field) == ("voice_unavailable", "voice")
        assert "ef_dora" in caught.value.hint

    def test_a_voice_that_is_not_there(self, setup: Setup) -> None:
        catalog, store = setup(JOE, installed="joe")
        with pytest.raises(InputError) as caught:
            select.voice(catalog, store, "en", "nobody")
        assert caught.value.code == "voice_unavailable"
        assert "joe" in caught.value.hint

    def test_no_voice_installed_names_the_command(self, setup: Setup) -> None:
        catalog, store = setup(JOE, DAVE, KOKORO, installed="joe")
        with pytest.raises(ModelError) as caught:
            select.voice(catalog, store, "es")
        assert caught.value.code == "model_unavailable"
        assert "octavia models pull kokoro" in caught.value.hint

    def test_no_voice_in_the_catalogue_at_all(self, setup: Setup) -> None:
        catalog, store = setup(JOE, KOKORO)
        with pytest.raises(InputError) as caught:
            select.voice(catalog, store, "ja")
        assert caught.value.code == "voice_unavailable"
        assert "octavia models import" in caught.value.hint

    def test_one_may_be_pulled(self, setup: Setup) -> None:
        catalog, store = setup(JOE, DAVE, KOKORO, auto_pull=True)
        assert select.voice(catalog, store, "es")[0] is KOKORO
        assert select.voice(catalog, store, "es", "dave")[0] is DAVE
