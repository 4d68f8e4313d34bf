"""Variables as platforms write them."""

import pytest

from octavia.environment import is_service_link, parts, plain, unknown
from octavia.settings import Settings

# What Kubernetes gives to a pod in a namespace with the Services "octavia" and "octavia-db".
KUBERNETES = {
    "OCTAVIA_SERVICE_HOST": "10.0.0.1",
    "OCTAVIA_SERVICE_PORT": "8000",
    "OCTAVIA_SERVICE_PORT_HTTP": "8000",
    "OCTAVIA_PORT": "tcp://10.0.0.1:8000",
    "OCTAVIA_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "OCTAVIA_PORT_8000_TCP_PROTO": "tcp",
    "OCTAVIA_PORT_8000_TCP_PORT": "8000",
    "OCTAVIA_PORT_8000_TCP_ADDR": "10.0.0.1",
    "OCTAVIA_DB_SERVICE_HOST": "10.0.0.2",
    "OCTAVIA_DB_SERVICE_PORT": "5432",
    "OCTAVIA_DB_PORT": "tcp://10.0.0.2:5432",
    "OCTAVIA_DB_PORT_5432_TCP_ADDR": "10.0.0.2",
}


def test_the_links_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a pod beside a Service called octavia
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    # Then the settings are the defaults, and no variable is taken for a mistake
    assert Settings().port == 8000
    assert unknown(KUBERNETES, Settings.variables()) == {}


@pytest.mark.parametrize(
    "value", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:53", "tcp://[fd00::1]:8000", "TCP://1.2.3.4:5"]
)
def test_a_link_is_known_by_its_form(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_service_link(value)
    monkeypatch.setenv("OCTAVIA_PORT", value)
    assert Settings().port == 8000


@pytest.mark.parametrize("value", ["8000", "", "http://10.0.0.1:8000", "tcp://10.0.0.1", "tcp://host:8000/x"])
def test_other_values_are_no_links(value: str) -> None:
    assert not is_service_link(value)


@pytest.mark.parametrize("value", ["x y", " x y\t\n", '"x y"', " 'x y' ", '" x y "'])
def test_a_value_is_taken_without_what_is_around_it(value: str) -> None:
    assert plain(value) == "x y"


def test_a_variable_that_is_no_setting_is_found() -> None:
    # Given a mistake, a stranger, a setting in small letters, and other programs' variables
    environ = {"OCTAVIA_WORKER_SLOT": "4", "OCTAVIA_X": "1", "octavia_port": "1", "PATH": "/bin"}
    environ |= {"OCTAVIA_SERVERS": "x", "OCTAVIA_BROKER_PORT": "5672"}
    # Then the first has the name that was meant
    assert unknown(environ, Settings.variables()) == {
        "OCTAVIA_BROKER_PORT": "OCTAVIA_BROKER_URL",
        "OCTAVIA_SERVERS": "",
        "OCTAVIA_WORKER_SLOT": "OCTAVIA_WORKER_SLOTS",
        "OCTAVIA_X": "",
    }


def test_brackets_without_end_are_no_list() -> None:
    # Given more brackets than JSON is read in
    assert parts("[" * 100_000) == ["[" * 100_000]
