"""Models of utterances in answers, and of edits in requests."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, SerializerFunctionWrapHandler, ValidationInfo, model_serializer

from octavia.api.http import checks
from octavia.api.http.fields import Fields

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


class EditRequest(BaseModel, extra="forbid"):
    """An edit of an utterance. Fields that are left out stay as they are; null undoes earlier edits."""

    source: _Text | None = Field(None, description="Spoken text, at most 2000 characters; empty: nothing.")
    translation: _Text | None = Field(
        None, description="Text in the target language, at most 2000 characters; empty: silence."
    )
    voice: str | None = Field(None, pattern=r"^[\w./-]{1,100}$", description="The id of the voice that speaks it.")
    start: _Seconds | None = Field(None, description="Start in seconds, not before the end of the previous utterance.")
    end: _Seconds | None = Field(None, description="End in seconds, not after the start of the next utterance.")

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keep null and left-out fields apart, as they are different requests."""
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}


class ListedEditRequest(EditRequest):
    """An edit of the utterance with an id."""

    id: str = Field(min_length=1, max_length=40, description="The id of an utterance of the job.")


class EditsRequest(BaseModel, extra="forbid"):
    """Edits of several utterances, of which all are made or none."""

    utterances: list[ListedEditRequest] = Field(
        min_length=1, max_length=_MOST, description=f"A list of 1 to {_MOST} edits, each with the id of its utterance."
    )


class UtterancesRequest(Fields):
    """The query of a list of utterances."""

    cursor: str | None = Field(None, max_length=40, description="The next_cursor of the previous page.")
    limit: int = Field(200, ge=1, le=_MOST, description=f"Utterances per page, 1 to {_MOST}.")


class UtteranceOut(BaseModel):
    """A sentence or clause; ``start`` and ``end`` are null in a text. ``edited``: names of the edited fields.

    ``pending``: a run must still apply the edits; until then, an utterance to be translated has no translation.
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
    """A page of utterances, in order; ``revision``: that of the results which they come from."""

    utterances: list[UtteranceOut]
    revision: int
    next_cursor: str | None
