import pytest

from octavia.jobs.tables.failures import unavailable


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("FATAL:  unsupported startup parameter: options", "ignore_startup_parameters"),
        ("FATAL:  unsupported startup parameter in options: lock_timeout", "ignore_startup_parameters"),
        ("transaction blocks not allowed in statement pooling mode", "pool_mode = transaction"),
        ("query_wait_timeout", "default_pool_size"),
        ("FATAL:  sorry, too many clients already", "max_connections"),
        ("FATAL:  no more connections allowed (max_client_conn)", "max_client_conn"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "max_connections"),
        ('FATAL:  password authentication failed for user "octavia"', "the password"),
        ("fe_sendauth: no password supplied", "the password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "octavia"', "lets this machine in"),
        ('FATAL:  role "octavia" does not exist', "the user"),
        ('FATAL:  database "octavia" does not exist', "Create the database"),
        ("FATAL:  no such database: octavia", "[databases]"),
        ("FATAL:  server login has been failing, try again later (server_login_retry)", "its log says why"),
        ("server conn crashed?", "its log says why"),
    ],
)
def test_a_refusal_has_the_hint_for_it(reason: str, hint: str) -> None:
    # Given the words of a server or pooler that does answer
    # When they become an error
    error = unavailable(reason)
    # Then it does not say that nobody answers, and its hint is the remedy
    assert error.message == "The database refuses the connection."
    assert hint in error.hint


@pytest.mark.parametrize("reason", ["connection refused", "connection timeout expired", "the connection is lost"])
def test_a_server_that_is_away_is_called_so(reason: str) -> None:
    # Given the words of a driver that reached nobody
    # When they become an error
    error = unavailable(reason)
    # Then the hint is to look whether the server is there
    assert error.message == "The database does not answer."
    assert "running and reachable" in error.hint
