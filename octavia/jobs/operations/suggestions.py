"""Completion of filters: words that go on as what was typed, and values of the word that was chosen."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col

from octavia import compact_json
from octavia.jobs.operations.conditions import visible
from octavia.jobs.operations.words import FIELD, META, WORDS
from octavia.jobs.tables.database import Database
from octavia.jobs.tables.rows import ApiKey, Job, Worker
from octavia.jobs.tables.states import JobStatus

MOST_CHARS: Final = 200

_MOST: Final = 20
_NEWEST: Final = 500
"""Jobs whose values are suggested: looking through all would take too long for every key that is pressed."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word of the filter language with its meaning, and values that it may have."""

    word: str
    meaning: str
    values: tuple[str, ...]


def suggest(db: Database, prefix: str, owner: str | None) -> tuple[Suggestion, ...]:
    """Suggest what a term may go on with: with a colon values, without one words.

    Parameters:
      prefix: The beginning of a term, such as ``sta``, ``-status:fa`` or ``owner:ann,b``; empty for all words.
    """
    name, colon, rest = prefix.removeprefix("-").partition(":")
    begun = rest.rpartition(",")[2].removeprefix('"').lower()
    with db.reading() as session:
        if not colon:
            words = [Suggestion(word.name, word.meaning, word.values) for word in WORDS.values()]
            words += [Suggestion(META + field, FIELD.meaning, ()) for field in _common(_fields(session, owner))]
            return tuple(one for one in words if one.word.lower().startswith(name.lower()))
        if name.lower().startswith(META):
            word, values = FIELD, _meta_values(session, name[len(META) :].strip('"'), owner)
        elif (word := WORDS.get(name.lower(), FIELD)) is not FIELD:
            values = word.values or _values(session, word.name, owner)
        else:
            return ()
        matching = _common(value for value in values if value.lower().startswith(begun))
        return (Suggestion(name, word.meaning, matching),)


def _common(values: Iterable[str]) -> tuple[str, ...]:
    """Return values once each, the most frequent first."""
    return tuple(value for value, _ in Counter(values).most_common(_MOST))


def _values(session: Session, name: str, owner: str | None) -> Iterable[str]:
    if name == "owner":
        found = _newest(session, col(Job.owner), owner=owner)
        return [*found, *session.scalars(sa.select(col(ApiKey.owner)).distinct())] if owner is None else found
    if name == "code":
        return _newest(session, col(Job.error_code), col(Job.status) == JobStatus.FAILED, owner=owner)
    if name == "language":
        columns = (col(Job.source_language), col(Job.target_language))
        return [value for column in columns for value in _newest(session, column, owner=owner)]
    if name == "worker":
        rows = session.execute(sa.select(col(Worker.host), col(Worker.id)).where(col(Worker.pid) != 0))
        return [value for row in rows for value in row]
    return ()


def _fields(session: Session, owner: str | None) -> Iterable[str]:
    return (_quoted(field) for meta in _newest(session, col(Job.meta), owner=owner) for field in meta)


def _meta_values(session: Session, field: str, owner: str | None) -> Iterable[str]:
    values = (meta.get(field) for meta in _newest(session, col(Job.meta), owner=owner))
    return (
        value if isinstance(value, str) else compact_json.dumps(value)
        for value in values
        if value is not None and not isinstance(value, (dict, list))
    )


def _quoted(text: str) -> str:
    """Return the name of a field as a filter takes it."""
    plain = text and not any(sign.isspace() or sign in ':"' for sign in text)
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _newest(session: Session, column: Any, *where: sa.ColumnElement[bool], owner: str | None) -> Iterable[Any]:
    """Read a column of the newest jobs; null is left out."""
    query = sa.select(column).where(*visible(owner), *where).order_by(col(Job.id).desc()).limit(_NEWEST)
    return (value for value in session.scalars(query) if value is not None)
