"""Wrong values from clients give errors that name the field."""

import json
from typing import Any

import pytest

from octavia.api.http import checks
from octavia.api.schemas.requests import JobRequest, ListRequest
from octavia.errors import InputError


def refused(values: Any, *, some: bool = False) -> InputError:
    check = checks.validate_some if some else checks.validate
    with pytest.raises(InputError) as caught:
        check(JobRequest, values)
    return caught.value


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("type", "sing", "invalid_field"),
        ("source_language", "klingonish", "unknown_language"),
        ("target_language", "klingonish", "unknown_language"),
        ("target_language", "\ud800", "invalid_field"),
        ("voice", "a voice; rm -rf", "invalid_field"),
        ("formats", "wav,aiff", "unsupported_format"),
        ("formats", ["wav", "aiff"], "unsupported_format"),
        ("formats", [], "unsupported_format"),
        ("formats", " , ", "unsupported_format"),
        ("formats", 5, "invalid_field"),
        ("formats", [5], "invalid_field"),
        ("priority", "urgent", "invalid_field"),
        ("metadata", "[]", "invalid_field"),
        ("metadata", "{", "bad_json"),
        ("metadata", {"a": "x" * 4096}, "metadata_too_large"),
        ("metadata", {"a": "\0"}, "invalid_field"),
        ("metadata", {"\0": 1}, "invalid_field"),
        ("metadata", {"a": ["\udc00"]}, "invalid_field"),
        ("metadata", '{"a": 1e999}', "invalid_field"),
        ("metadata", '{"a": NaN}', "bad_json"),
        ("metadata", "[" * 20 + "]" * 20, "invalid_field"),
        ("metadata", '{"a":' * 20 + "1" + "}" * 20, "invalid_field"),
        ("metadata", "[" * 100_000, "bad_json"),
        ("metadata", 7, "invalid_field"),
        ("start", "perhaps", "invalid_field"),
        ("beam_size", 0, "invalid_field"),
        ("beam_size", 11, "invalid_field"),
        ("beam_size", "many", "invalid_field"),
        ("vocabulary", "x" * 1001, "invalid_field"),
        ("vocabulary", ["x" * 500, "y" * 500], "invalid_field"),
        ("vocabulary", ["a", 5], "invalid_field"),
        ("max_line_length", 19, "invalid_field"),
        ("max_line_length", 101, "invalid_field"),
        ("vocabulary", "a\0b", "invalid_field"),
        ("voices", "{", "bad_json"),
        ("voices", ["a"], "invalid_field"),
        ("voices", {"Ann": 1}, "invalid_field"),
        ("voices", {"Ann": "a voice"}, "invalid_field"),
        ("voices", {"\ud800": "a"}, "invalid_field"),
        ("voices", {str(number): "a" for number in range(101)}, "invalid_field"),
        ("glossary", "{", "bad_json"),
        ("glossary", ["a"], "invalid_field"),
        ("glossary", {"a": 1}, "invalid_field"),
        ("glossary", {"": "a"}, "invalid_field"),
        ("glossary", {"\ud800": "a"}, "invalid_field"),
        ("glossary", {str(number): "a" for number in range(201)}, "invalid_field"),
        ("speed", 0.2, "invalid_field"),
        ("speed", 4.1, "invalid_field"),
        ("speed", "nan", "invalid_field"),
        ("revoice", "perhaps", "invalid_field"),
        ("background", "loud", "invalid_field"),
        ("background_level", "6", "invalid_field"),
        ("audio_tracks", "both", "invalid_field"),
        ("text", 5, "invalid_field"),
    ],
)
def test_validate_names_a_wrong_value_and_its_remedy(field: str, value: Any, code: str) -> None:
    # When a request has one wrong value
    error = refused({"type": "dub", field: value})
    # Then the error names the field and says what would be right
    assert (error.field, error.code) == (field, code)
    assert error.hint


def test_validate_names_an_unknown_field() -> None:
    error = refused({"type": "dub", "colour": "red"})
    assert (error.field, error.code) == ("colour", "unknown_field")
    assert "target_language" in error.hint


def test_validate_names_a_missing_type() -> None:
    error = refused({})
    assert (error.field, error.code) == ("type", "missing_field")
    assert "transcribe" in error.hint


@pytest.mark.parametrize("values", [[], "dub", 5, None])
def test_validate_takes_only_objects(values: Any) -> None:
    assert refused(values).code == "bad_json"


def test_validate_some_ignores_missing_fields() -> None:
    # Given fields that came before the file, and no type yet: no error
    checks.validate_some(JobRequest, {"speed": "1.5"})
    # But a wrong one is seen, although others are missing
    assert refused({"speed": "9"}, some=True).field == "speed"


def test_values_of_forms_and_of_json_mean_the_same() -> None:
    # When the same is sent as text, as forms do, and as JSON
    form = {
        "type": "dub",
        "source_language": "EN-us",
        "target_language": "Spanish",
        "formats": ["wav, MP3", "wav"],
        "metadata": '{"a": {"b": [1, null, "é"]}}',
        "start": "false",
        "beam_size": "3",
        "speed": "1.25",
        "revoice": "true",
        "background": "duck",
        "background_level": "-12.5",
        "audio_tracks": "replace",
        "glossary": '{" cat ": "felino"}',
        "voices": '{" Ann  Lee ": "ef_dora"}',
    }
    plain = {
        "type": "dub",
        "source_language": "en",
        "target_language": "es",
        "formats": ["wav", "mp3"],
        "metadata": {"a": {"b": [1, None, "é"]}},
        "start": False,
        "beam_size": 3,
        "speed": 1.25,
        "revoice": True,
        "background": "duck",
        "background_level": -12.5,
        "audio_tracks": "replace",
        "glossary": {"cat": "felino"},
        "voices": {"Ann Lee": "ef_dora"},
    }
    # Then both are read alike
    assert checks.validate(JobRequest, form).model_dump() == checks.validate(JobRequest, plain).model_dump()


def test_metadata_of_the_largest_size_is_accepted() -> None:
    value = {"a": "é" * ((checks.METADATA_BYTES - len('{"a":""}')) // 2)}
    assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) == checks.METADATA_BYTES
    assert checks.metadata(value) == value


@pytest.mark.parametrize("text", ["[NaN]", "[Infinity]", "{", "", "1" * 5000, "[" * 100_000, '{"a" 1}'])
def test_parse_json_refuses_what_is_not_json(text: str) -> None:
    with pytest.raises(InputError) as caught:
        checks.parse_json(text)
    assert caught.value.code == "bad_json"


@pytest.mark.parametrize(("field", "value"), [("limit", "0"), ("limit", "101"), ("status", "gone"), ("type", "x")])
def test_validate_names_a_wrong_query_parameter(field: str, value: str) -> None:
    with pytest.raises(InputError) as caught:
        checks.validate(ListRequest, {field: value})
    assert (caught.value.field, caught.value.code) == (field, "invalid_field")
    assert caught.value.hint


@pytest.mark.parametrize("levels", [checks.JSON_DEPTH + 1, 1000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_parse_json_refuses_deep_nesting(levels: int, opening: str, closing: str) -> None:
    with pytest.raises(InputError) as caught:
        checks.parse_json(opening * levels + "1" + closing * levels)
    assert caught.value.code == "bad_json"
    assert f"{checks.JSON_DEPTH} levels" in caught.value.message


def test_parse_json_accepts_the_greatest_depth_and_any_width() -> None:
    text = "[" * checks.JSON_DEPTH + ",".join(["1"] * 1000) + "]" * checks.JSON_DEPTH
    assert json.dumps(checks.parse_json(text), separators=(",", ":")) == text
    assert checks.parse_json("7") == 7
