"""``/operator/filter-words``: completion of a filter while an operator types it."""

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from octavia.api.context import context_of
from octavia.api.http import checks
from octavia.api.http.bodies import answer
from octavia.api.http.fields import Fields
from octavia.api.http.identity import principal
from octavia.api.http.operations import operation
from octavia.api.schemas.answers import from_record
from octavia.jobs.access.keys import Scope
from octavia.jobs.operations import suggestions


class PrefixRequest(Fields):
    """The beginning of a term."""

    prefix: str = Field(
        "",
        max_length=suggestions.MOST_CHARS,
        description="What was typed of a term, such as sta or status:fa. Empty for all words.",
    )


class FilterWordOut(BaseModel):
    """A word of the filter language, what it asks of a job, and values that it may have."""

    word: str
    meaning: str
    values: list[str]


class FilterWordListOut(BaseModel):
    """The words that begin with what was typed; after a colon, the one word with its values."""

    words: list[FilterWordOut]


@operation(
    "Complete a filter", tag="Operator", scope=Scope.OPERATE, query=PrefixRequest, answers={200: FilterWordListOut}
)
async def list_filter_words(request: Request) -> Response:
    """``GET /operator/filter-words``: words for filters, and values that the newest jobs have."""
    query = checks.validate(PrefixRequest, dict(request.query_params))
    found = await context_of(request).db(suggestions.suggest, query.prefix, principal(request).operates_on)
    words = [from_record(FilterWordOut, suggestion, values=list(suggestion.values)) for suggestion in found]
    return answer(FilterWordListOut(words=words))
