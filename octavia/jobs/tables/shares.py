"""The owners' shares of the workers' time: the accounts by which messages are released fairly."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from octavia.jobs.tables.rows import UTCDateTime


class Share(SQLModel, table=True):
    """An owner's share in one line of messages: a queue of the broker, or without one all queues together.

    The numbers are nominal seconds of work since the beginning, and mean something only beside one another.
    """

    __tablename__ = "shares"
    __table_args__ = (sa.Index("ix_shares_line_start", "line", "start"),)

    owner: str = Field(primary_key=True, max_length=64)
    line: str = Field(primary_key=True, max_length=20, description="A queue; empty for the one line of all.")
    start: float = Field(description="When its last message begins, in the line's virtual time.")
    finish: float = Field(description="When its last message ends, in the line's virtual time.")
    turn: float = Field(description="The furthest turn of its messages that were released.")
    updated_at: datetime = Field(sa_type=UTCDateTime)
