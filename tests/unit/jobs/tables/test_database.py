from datetime import timedelta

import pytest

from octavia.errors import InputError
from octavia.jobs.tables.database import Database
from octavia.settings import Settings


@pytest.mark.parametrize("url", ["not a url", "klingon://u:secret@db/octavia", "postgresql+nodriver://u:secret@db/o"])
def test_a_url_of_no_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InputError) as refused:
        Database(url)
    assert refused.value.code == "invalid_setting"
    assert "OCTAVIA_DATABASE_URL" in refused.value.hint
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("direct", ["not a url", "sqlite:///elsewhere.db", "klingon://u:secret@db/octavia"])
def test_the_direct_way_leads_to_the_same_kind_of_database(direct: str) -> None:
    with pytest.raises(InputError) as refused:
        Database("postgresql+psycopg://u:hidden@db/octavia", direct_url=direct)
    assert refused.value.code == "invalid_setting"
    assert "OCTAVIA_DATABASE_DIRECT_URL" in refused.value.hint
    assert "secret" not in refused.value.message
    assert "hidden" not in refused.value.message


def test_who_listens_takes_the_direct_way_if_there_is_one() -> None:
    pooled, direct = "postgresql+psycopg://u@pooler/octavia", "postgresql+psycopg://u@db/octavia"
    assert Database.of(Settings(database_url=pooled, database_direct_url=direct)).listen_url.host == "db"
    assert Database.of(Settings(database_url=pooled)).listen_url.host == "pooler"


def test_a_driver_that_is_not_installed_is_named() -> None:
    with pytest.raises(InputError, match="pg8000 is not installed"):
        Database("postgresql+pg8000://u:secret@db/octavia")


def test_the_database_of_the_settings_keeps_files_as_long_as_they_say() -> None:
    database = Database.of(Settings(database_url="sqlite:////somewhere.db", retention_days=2))
    assert (database.url.database, database.retention) == ("/somewhere.db", timedelta(days=2))
