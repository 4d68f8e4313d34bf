"""Utterances as they come in to be mended and go out to be read, as types."""

from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
)

from octavia.api.http import checks

_CHARS: Final = 2000
_MOST: Final = 1000
_LONGEST_SECONDS: Final = 1e6


def _line(text: str, info: ValidationInfo) -> str:
    checks.check_text(text, field=info.field_name or "")
    return " ".join(text.split())


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)


_Text = Annotated[str, Field(max_length=_CHARS), AfterValidator(_line)]
_Seconds = Annotated[float, Field(ge=0, le=_LONGEST_SECONDS, allow_inf_nan=False), AfterValidator(_milliseconds)]


class EditRequest(BaseModel):
    """What is mended of an utterance. What is left out stays; null takes back what was mended before."""

    model_config = ConfigDict(extra="forbid")

    source: _Text | None = Field(None, description="What is said, at most 2000 characters; empty: nothing.")
    translation: _Text | None = Field(
        None, description="What is said in the target language, at most 2000 characters; empty: silence."
    )
    voice: str | None = Field(None, pattern=r"^[\w./-]{1,100}$", description="The id of the voice that speaks it.")
    start: _Seconds | None = Field(None, description="When it begins, in seconds, after the one before has ended.")
    end: _Seconds | None = Field(None, description="When it ends, in seconds, before the next one begins.")

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Null and left out are not the same, nor do they make the same request."""
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}


class ListedEditRequest(EditRequest):
    """The same of an utterance that is named."""

    id: str = Field(min_length=1, max_length=40, description="The id of an utterance of the job.")


class EditsRequest(BaseModel):
    """What is mended of several utterances, of all or none."""

    model_config = ConfigDict(extra="forbid")

    utterances: list[ListedEditRequest] = Field(
        min_length=1, max_length=_MOST, description=f"A list of 1 to {_MOST} edits, each with the id of its utterance."
    )


class UtterancesRequest(BaseModel):
    """The query of a list of utterances."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(None, max_length=40, description="The next_cursor of the page before.")
    limit: int = Field(200, ge=1, le=_MOST, description=f"Utterances on a page, 1 to {_MOST}.")


class UtteranceOut(BaseModel):
    """A sentence or clause; ``start`` and ``end`` are null in a text. ``edited``: what of it was mended.

    ``pending``: that is still to be carried out; until then it has no translation if it is to be translated.
    """

    id: str
    start: float | None
    end: float | None
    source: str
    translation: str | None
    speaker: str | None
    voice: str | None
    confidence: float | None
    edited: list[str]
    pending: bool


class UtteranceListOut(BaseModel):
    """A page of utterances, in order; ``revision``: of the results that have them."""

    utterances: list[UtteranceOut]
    revision: int
    next_cursor: str | None
