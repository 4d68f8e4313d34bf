import dataclasses
import re
from pathlib import Path

import pytest

from octavia.catalog import Catalog, Task, languages, sources, tree
from octavia.catalog.listing import from_description
from octavia.errors import ModelError
from octavia.settings import Settings


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.load(Settings(models_dir=tmp_path))


def test_every_entry_says_what_it_must(catalog: Catalog) -> None:
    for model in catalog.models:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", model.id)
        assert model.licence, model.id
        assert model.size > 1_000_000, model.id
        assert model.sources, model.id
        assert re.fullmatch(r"([0-9a-f]{64})?", model.sha256), model.id
        for source in model.sources:
            sources.parse(source, hub_url="http://hub")
        assert {languages.normalize(code) for code in model.languages} == set(model.languages), model.id
        assert bool(model.pairs) == (model.task is Task.TRANSLATION), model.id
        assert bool(model.voices) == (model.task is Task.VOICE), model.id
        assert model.languages, model.id


def test_ids_are_unique(catalog: Catalog) -> None:
    ids = [model.id for model in catalog.models]
    assert len(ids) == len(set(ids))


def test_a_source_that_is_no_archive_of_ours_pins_what_it_gives(catalog: Catalog) -> None:
    # Registries and the package give what was measured here; a hub's file is at least named by commit or tag, or its
    # contents are whatever the hub declares.
    for model in catalog.models:
        if any(not source.startswith("hf:") for source in model.sources):
            assert model.sha256, model.id


def test_the_bundled_model_is_the_one_the_catalogue_pins(catalog: Catalog) -> None:
    model = catalog.get("en-es")
    folder = sources.parse(model.sources[0], hub_url="").in_place()
    assert folder is not None
    files = tree.scan(folder, model.files)
    assert tree.digest(files) == model.sha256
    assert sum(file.size for file in files) == model.size
    assert model.pairs == (("en", "es"),)


def test_kokoro_offers_only_languages_whose_phonemes_espeak_gives(catalog: Catalog) -> None:
    kokoro = catalog.get("kokoro")
    assert set(kokoro.languages) == {"en", "es", "fr", "hi", "it", "pt"}
    assert next(voice.id for voice in kokoro.voices if voice.language == "es") == "ef_dora"


def test_a_multilingual_translator_has_all_pairs_and_none_into_itself(catalog: Catalog) -> None:
    nllb = catalog.get("nllb-200-distilled-600m")
    count = len(nllb.languages)
    assert len(set(nllb.pairs)) == count * (count - 1)
    assert nllb.noncommercial


def test_an_unknown_id_is_answered_with_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(ModelError) as caught:
        catalog.get("whisper-smal")
    assert caught.value.code == "unknown_model"
    assert "whisper-small" in caught.value.hint


def test_a_description_comes_back_as_the_same_model(catalog: Catalog) -> None:
    for model in catalog.models:
        assert from_description(dataclasses.asdict(model)) == model
