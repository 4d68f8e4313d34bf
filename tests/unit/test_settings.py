"""Settings that follow from others."""

import pytest

from octavia.settings import Settings


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")], ids=["IPv4", "IPv6"]
)
def test_the_api_is_found_where_it_listens(host: str, url: str) -> None:
    assert Settings(host=host, port=8000).url == url
