"""The rules of a request; ``tests/unit/api/submission/test_plan.py`` applies them to requests of the API."""

import pytest

from octavia.errors import InputError
from octavia.jobs.lifecycle import request_rules
from octavia.jobs.tables.states import JobType


def test_check_returns_the_languages_of_the_job() -> None:
    check = request_rules.check
    assert check(JobType.DUB, "en", "es", {"voice": "joe"}, from_text=False) == ("en", "es")
    assert check(JobType.DUB, "en", None, {"revoice": True}, from_text=False) == ("en", "en")
    assert check(JobType.SYNTHESIZE, "auto", "en", {}, from_text=True) == ("en", None)


def test_check_takes_a_level_of_zero_for_an_option() -> None:
    with pytest.raises(InputError) as refused:
        request_rules.check(JobType.TRANSLATE, "en", "es", {"background_level": 0.0}, from_text=False)
    assert (refused.value.code, refused.value.field) == ("not_applicable", "background_level")


def test_check_passes_over_options_that_are_off() -> None:
    off = dict.fromkeys(request_rules.OPTIONS, None) | {"revoice": False}
    assert request_rules.check(JobType.TRANSCRIBE, "auto", None, off, from_text=False) == ("auto", None)


def test_check_text_language_needs_a_language() -> None:
    request_rules.check_text_language("en")
    with pytest.raises(InputError) as refused:
        request_rules.check_text_language("auto")
    assert (refused.value.code, refused.value.field) == ("language_required", "source_language")


def test_check_languages_differ() -> None:
    request_rules.check_languages_differ("en", "es")
    request_rules.check_languages_differ("en", None)
    with pytest.raises(InputError) as refused:
        request_rules.check_languages_differ("en", "en")
    assert (refused.value.code, refused.value.field) == ("same_language", "target_language")
