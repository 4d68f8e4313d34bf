"""The choice of the messages that are released next: urgent ones first, then fairly, and within the windows."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import heappop, heappush
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased
from sqlmodel import col

from octavia.jobs.protocol import windows
from octavia.jobs.protocol.windows import Window
from octavia.jobs.tables.database import insert, now
from octavia.jobs.tables.due_messages import is_free
from octavia.jobs.tables.rows import OutboxMessage, Task, UTCDateTime, enum_type
from octavia.jobs.tables.shares import Share
from octavia.jobs.tables.states import Queue, TaskStatus

ONE_LINE: Final = ""
"""The line of a deployment without a broker, whose workers take the messages of every queue."""

_NEEDLESS: Final = (TaskStatus.RUNNING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELED)
_FEW: Final = 50
_SPARE: Final = 10
"""Owners beyond those needed, in case that others have locked the messages of some."""


@dataclass
class _Account:
    """An owner's share of a line, as ``shares`` has it; ``start`` is None until it is charged."""

    owner: str
    line: str
    finish: float
    turn: float
    start: float | None = None


@dataclass
class _Flow:
    """The due messages of one owner and urgency on one queue; ``head`` is the first of those that are left."""

    account: _Account
    rows: Iterator[OutboxMessage]
    head: OutboxMessage

    def key(self, clock: float) -> tuple[float, ...]:
        """Its place among the flows of a line: the least is next."""
        start = max(clock, self.account.finish)
        return -self.head.priority, start, self.account.finish, self.head.turn, self.head.id or 0


def choose(session: Session, limit: int, queues: Collection[Queue], *, windowed: bool) -> list[OutboxMessage]:
    """Choose up to ``limit`` due messages, lock their rows and charge them to their owners' shares.

    Two that choose at once get different rows: PostgreSQL skips locked rows, SQLite has one writer at a time. Both may
    go by the same shares and windows, which the next choice makes up for. The messages of tasks that run or have ended
    are marked as sent on the way, because nobody needs them.

    Parameters:
      windowed: For a broker: each queue is a line of its own, and has its window. Otherwise all are one line.
    """
    heads = _heads(session, queues, limit, windowed=windowed) if limit and queues else []
    clocks = _clocks(session, {head.line for head in heads}) if heads else {}
    open_ = windows.read(session, {head.queue for head in heads}) if windowed and heads else {}
    accounts: dict[tuple[str, str], _Account] = {}
    heap: list[tuple[Any, ...]] = []
    for number, head in enumerate(heads):
        # The least that its key can be: its row is locked and read only if it comes to that.
        start = max(clocks[head.line], head.finish)
        heap.append((-head.priority, start, head.finish, head.turn, head.id, number))
    heap.sort()
    flows: dict[int, _Flow] = {}
    chosen: list[OutboxMessage] = []
    closed: set[Queue] = set()
    while heap and len(chosen) < limit:
        *key, number = heappop(heap)
        head = heads[number]
        if head.queue in closed:
            continue
        flow = flows.get(number) or _flow(session, head, accounts, limit - len(chosen))
        if flow is None:
            continue
        flows[number] = flow
        current = flow.key(clocks[head.line])
        if tuple(key) < current:
            heappush(heap, (*current, number))
            continue
        if not _admitted(open_.get(head.queue), flow.head):
            # Whoever is next here stays next: smaller ones must not pass it by for ever.
            closed.add(head.queue)
            continue
        chosen.append(flow.head)
        clocks[head.line] = _charge(flow, clocks[head.line])
        following = next(flow.rows, None)
        if following is not None:
            flow.head = following
            heappush(heap, (*flow.key(clocks[head.line]), number))
    _store(session, accounts.values())
    return chosen


def _heads(session: Session, queues: Collection[Queue], limit: int, *, windowed: bool) -> Sequence[Any]:
    """Read the first due message of those owners of each line that are next; by their lines in order."""
    values = {"moment": now(session), "most": limit + _SPARE}
    on_postgres = session.get_bind().dialect.name == "postgresql"
    return session.execute(_heads_query(tuple(queues), windowed=windowed, on_postgres=on_postgres), values).all()


@cache
def _heads_query(queues: tuple[Queue, ...], *, windowed: bool, on_postgres: bool) -> Any:
    """Make the query: it takes a step through the index for each owner and urgency on each queue."""
    # Queue by queue: equality there, and rows in the order of the index.
    here, there, row = aliased(OutboxMessage), aliased(OutboxMessage), aliased(OutboxMessage)
    of_queue = [_due(here, queue).with_only_columns(col(here.id)).limit(1) for queue in queues]
    firsts = sa.union_all(*(sa.select(first.scalar_subquery().label("id")) for first in of_queue)).subquery()
    steps = sa.select(firsts.c.id).cte("heads", recursive=True)

    def own(column: Any) -> Any:
        # Not by a join, for which PostgreSQL would read the whole table at each step.
        return sa.select(column).where(col(here.id) == steps.c.id).correlate(steps).scalar_subquery()

    following = _due(there, own(here.queue)).with_only_columns(col(there.id)).limit(1).correlate(steps)
    # Not by comparing pairs: SQLite would read every row of that priority.
    next_owner = following.where(col(there.priority) == own(here.priority), col(there.owner) > own(here.owner))
    next_priority = following.where(col(there.priority) > own(here.priority))
    further = sa.func.coalesce(next_owner.scalar_subquery(), next_priority.scalar_subquery())
    steps = steps.union_all(sa.select(further).where(steps.c.id.is_not(None)))
    line = sa.type_coerce(col(row.queue), sa.String) if windowed else sa.literal(ONE_LINE)
    finish = sa.func.coalesce(col(Share.finish), 0.0).label("finish")
    order = (col(row.priority).desc(), finish, col(row.turn), col(row.id))
    # First the ids, then their rows, by the primary key.
    found = sa.select(steps.c.id).where(steps.c.id.is_not(None)).scalar_subquery()
    heads = (
        sa.select(
            *(col(row.id), col(row.queue), col(row.priority), col(row.owner), col(row.turn)),
            line.label("line"),
            finish,
            sa.func.coalesce(col(Share.turn), 0.0).label("furthest"),
            sa.func.row_number().over(partition_by=line, order_by=order).label("place"),
        )
        .select_from(row)
        .outerjoin(Share, sa.and_(col(Share.owner) == col(row.owner), col(Share.line) == line))
        .where(col(row.id) == sa.any_(sa.func.array(found)) if on_postgres else col(row.id).in_(found))
        .subquery()
    )
    return sa.select(heads).where(heads.c.place <= sa.bindparam("most"))


def _due(row: Any, queue: Any) -> sa.Select[Any]:
    """Select a queue's messages that are due at ``moment``, in the order of the index."""
    moment = sa.bindparam("moment", type_=UTCDateTime())
    return (
        sa.select(row)
        .where(is_free(row, moment), row.queue == queue)
        .order_by(row.priority, row.owner, row.turn, row.id)
    )


def _clocks(session: Session, lines: Collection[str]) -> dict[str, float]:
    latest = sa.select(col(Share.line), sa.func.max(col(Share.start))).where(col(Share.line).in_(lines))
    clocks = dict.fromkeys(lines, 0.0)
    for line, start in session.execute(latest.group_by(col(Share.line))):
        clocks[line] = start
    return clocks


def _flow(session: Session, head: Any, accounts: dict[tuple[str, str], _Account], limit: int) -> _Flow | None:
    """Lock a flow's first messages; None if others have them."""
    rows = iter(_needed(session, head, limit))
    first = next(rows, None)
    if first is None:
        return None
    fresh = _Account(head.owner, head.line, head.finish, head.furthest)
    return _Flow(accounts.setdefault((head.owner, head.line), fresh), rows, first)


def _of_flow() -> Any:
    status = sa.type_coerce(col(Task.status), sa.String)
    return (
        _due(OutboxMessage, sa.bindparam("queue", type_=enum_type(Queue)))
        .where(
            col(OutboxMessage.priority) == sa.bindparam("priority"), col(OutboxMessage.owner) == sa.bindparam("owner")
        )
        .outerjoin(Task, col(Task.id) == col(OutboxMessage.task_id))
        .add_columns(status)
        .limit(sa.bindparam("most"))
        .with_for_update(of=OutboxMessage, skip_locked=True)
    )


# Built once: they are long, and each release asks them.
_OF_FLOW: Final = _of_flow()


def _needed(session: Session, head: Any, limit: int) -> list[OutboxMessage]:
    """Lock up to ``limit`` messages of a flow, by their turns, that somebody may need."""
    values = {"moment": now(session), "queue": head.queue, "priority": head.priority, "owner": head.owner}
    while found := session.execute(_OF_FLOW, {**values, "most": limit}).all():
        needed = [row for row, state in found if state not in _NEEDLESS]
        needless = [row.id for row, state in found if state in _NEEDLESS]
        if needless:
            sent = sa.update(OutboxMessage).where(col(OutboxMessage.id).in_(needless))
            session.execute(sent.values(published_at=now(session), leased_until=None))
        if needed:
            return needed
        limit = max(limit, _FEW)
    return []


def _admitted(window: Window | None, row: OutboxMessage) -> bool:
    """Return whether a queue's window admits a message, and count it there; one of no task needs no window."""
    return window is None or row.task_id is None or window.admit(row.priority, row.cost)


def _charge(flow: _Flow, clock: float) -> float:
    """Charge a flow's head to its owner; returns the line's clock."""
    account = flow.account
    start = account.start = max(clock, account.finish)
    account.finish = start + flow.head.cost
    account.turn = max(account.turn, flow.head.turn)
    return start


def _store(session: Session, accounts: Collection[_Account]) -> None:
    # In one order: two that choose at once must not wait for each other.
    charged = sorted((each for each in accounts if each.start is not None), key=lambda each: (each.owner, each.line))
    if not charged:
        return
    added = insert(session, Share)
    new = {name: added.excluded[name] for name in ("start", "finish", "turn", "updated_at")}
    stored = added.on_conflict_do_update(index_elements=["owner", "line"], set_=new)
    session.connection().execute(stored, [{**vars(each), "updated_at": now(session)} for each in charged])
