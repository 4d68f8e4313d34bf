"""Fields that are sent empty, as many clients send those that they do not use."""

from typing import Any

import pytest
from pydantic import Field

from octavia.api.http.checks import validate
from octavia.api.http.fields import Fields
from octavia.api.schemas.requests import JobRequest, ListRequest, RetryRequest
from octavia.errors import InputError


class Request(Fields):
    name: str
    count: int = 5
    kinds: list[str] = Field(["a"])
    flag: bool = Field(True, alias="if")


@pytest.mark.parametrize(
    "empty", [{"count": ""}, {"count": None}, {"kinds": [""]}, {"kinds": ""}, {"if": ""}, {"else": ""}]
)
def test_an_empty_field_counts_as_not_sent(empty: dict[str, Any]) -> None:
    assert validate(Request, {"name": "x", **empty}) == Request.model_validate({"name": "x"})


@pytest.mark.parametrize("given", [{"count": 0}, {"kinds": []}, {"kinds": ["", "b"]}, {"if": False}])
def test_what_is_not_empty_counts(given: dict[str, Any]) -> None:
    assert validate(Request, {"name": "x", **given}) != Request.model_validate({"name": "x"})


def test_a_required_field_may_be_empty_if_its_type_allows_it() -> None:
    assert validate(Request, {"name": ""}).name == ""


@pytest.mark.parametrize(
    ("values", "code"),
    [({"name": None}, "invalid_field"), ({}, "missing_field"), ({"name": "x", "other": 0}, "unknown_field")],
)
def test_what_is_wrong_is_still_refused(values: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(Request, values)
    assert caught.value.code == code


def test_all_optional_fields_of_a_job_may_be_empty() -> None:
    optional = [name for name, field in JobRequest.model_fields.items() if not field.is_required() and name != "text"]
    plain = JobRequest.model_validate({"type": "dub", "text": "Hi."})
    for empty in ("", None):
        assert validate(JobRequest, {"type": "dub", "text": "Hi.", **dict.fromkeys(optional, empty)}) == plain


def test_an_empty_text_counts_unless_there_is_an_address() -> None:
    assert validate(JobRequest, {"type": "dub", "text": ""}).text == ""
    assert validate(JobRequest, {"type": "dub", "text": "", "input_url": "https://a.example/b"}).text is None


@pytest.mark.parametrize("model", [ListRequest, RetryRequest])
def test_a_query_may_have_empty_values(model: type[Fields]) -> None:
    names = [field.alias or name for name, field in model.model_fields.items()]
    assert validate(model, dict.fromkeys(names, "")) == model()
