"""The rows of the outbox that wait to be sent now."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa


def is_due(row: Any, moment: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Clause on ``OutboxMessage``, or an alias of it: it was not sent, and may be by now."""
    return sa.and_(row.published_at.is_(None), row.not_before <= moment)


def is_free(row: Any, moment: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """Clause as ``is_due``: and nobody has leased it."""
    return sa.and_(is_due(row, moment), sa.or_(row.leased_until.is_(None), row.leased_until <= moment))
