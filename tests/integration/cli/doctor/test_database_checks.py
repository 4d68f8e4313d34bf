"""What the doctor says of a PostgreSQL and of a PgBouncer before it."""

from octavia.cli.doctor.database_checks import database
from octavia.cli.doctor.findings import Verdict
from octavia.settings import Settings
from tests.support.pgbouncer import PrivatePgBouncer


def test_the_way_to_postgres_is_told(
    postgres_url: str, by_session: PrivatePgBouncer, by_transaction: PrivatePgBouncer
) -> None:
    # Given a PostgreSQL, and ways to it through PgBouncer in both modes
    ways = {
        "direct": Settings(database_url=postgres_url),
        "by session": Settings(database_url=by_session.url(postgres_url)),
        "by transaction": Settings(database_url=by_transaction.url(postgres_url)),
        "both": Settings(database_url=by_transaction.url(postgres_url), database_direct_url=postgres_url),
    }
    # When the doctor looks
    found = {way: database(settings) for way, settings in ways.items()}
    # Then the database is good whichever way, and PgBouncer and its mode are named
    assert [findings[0].verdict for findings in found.values()] == [Verdict.GOOD] * 4
    assert ["PgBouncer" in findings[0].detail for findings in found.values()] == [False, True, True, True]
    assert found["by session"][0].detail.endswith("by session")
    assert found["by transaction"][0].detail.endswith("by transaction")
    # And so is how clients that watch hear of news, with the remedy where that is by polling
    live = {way: findings[1] for way, findings in found.items()}
    assert [one.detail.partition(":")[0] for one in live.values()] == [
        "by NOTIFY",
        "by NOTIFY",
        "by polling",
        "by NOTIFY over OCTAVIA_DATABASE_DIRECT_URL",
    ]
    assert live["by transaction"].verdict is Verdict.NOTE
    assert "OCTAVIA_DATABASE_DIRECT_URL" in live["by transaction"].remedy
