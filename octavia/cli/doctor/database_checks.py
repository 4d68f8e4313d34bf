"""Checks of the database: its schema, how it is reached, and how clients that watch jobs hear of news."""

from contextlib import closing
from typing import TYPE_CHECKING

from octavia.cli.doctor.findings import Finding, Verdict
from octavia.cli.pauses import described, resume_command
from octavia.errors import Unavailable
from octavia.settings import Settings
from octavia.urls import shown

if TYPE_CHECKING:
    from octavia.jobs.tables.database import Database


def database(settings: Settings) -> list[Finding]:
    """Check that the database answers and that its schema fits this release."""
    from octavia.jobs.tables.database import Database

    if not settings.database_url and not (settings.data_dir / "octavia.db").exists():
        return [Finding("database", Verdict.GOOD, f"SQLite, to be created on first use in {settings.data_dir}")]
    with closing(Database.of(settings)) as opened:
        opened.check()
        where = shown(settings.database)
        if opened.url.get_backend_name() == "sqlite":
            return [Finding("database", Verdict.GOOD, where)]
        return _postgres(opened, where)


def pauses(settings: Settings) -> list[Finding]:
    """Tell which queues and hosts are paused, and whether the scheduler is late."""
    from octavia.jobs.status import rounds
    from octavia.jobs.tables.database import Database
    from octavia.jobs.tables.pauses import list_pauses

    if not settings.database_url and not (settings.data_dir / "octavia.db").exists():
        return []
    with closing(Database.of(settings)) as opened:
        try:
            found, late = list_pauses(opened), rounds.is_late(opened)
        except Unavailable:
            # The database's own check says so.
            return []
    findings = [Finding("pauses", Verdict.NOTE, described(pause), resume_command(pause)) for pause in found]
    if late:
        remedy = "Run one `octavia scheduler`, or see in its log why it does not come up."
        findings.append(Finding("scheduler", Verdict.NOTE, "nothing was scheduled for a while", remedy))
    return findings


def _postgres(opened: "Database", where: str) -> list[Finding]:
    from octavia.jobs.tables.pooling import Pooling, pooling

    reached = pooling(opened.engine, opened.url)
    how = {
        Pooling.NONE: "",
        Pooling.SESSION: ", through PgBouncer or another pooler, by session",
        Pooling.TRANSACTION: ", through PgBouncer or another pooler, by transaction",
    }
    direct = opened.listen_url != opened.url
    heard = pooling(opened.engine, opened.listen_url) if direct else reached
    by = " over OCTAVIA_DATABASE_DIRECT_URL" if direct else ""
    if heard.keeps_sessions:
        live = Finding("live updates", Verdict.GOOD, f"by NOTIFY{by}")
    else:
        remedy = "Set OCTAVIA_DATABASE_DIRECT_URL to the PostgreSQL itself, past the pooler, for NOTIFY."
        live = Finding("live updates", Verdict.NOTE, f"by polling: no NOTIFY arrives{by} through that pooler", remedy)
    return [Finding("database", Verdict.GOOD, where + how[reached]), live]
