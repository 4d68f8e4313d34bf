import pytest

from octavia.outbound import UrlNotAllowed, check_url
from octavia.settings import Settings


def check(url: str, allow: str = "") -> str:
    return check_url(url, Settings(outbound_allow=allow), field="webhook_url")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?a=b",
        "http://example.com:8080/",
        "https://8.8.8.8/",
        "http://[2606:4700::1111]/x",
        "https://under_score.example.com",
        "https://example.com/@someone?to=a@b",
        "https://example.com./",
    ],
)
def test_an_address_of_the_public_web_passes(url: str) -> None:
    # Given an address where anybody may go, as far as one can tell without asking
    # When it is checked
    # Then it passes as it is
    assert check(url).rstrip("/") == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.1/",
        "http://127.1:8080/",
        "http://127。0。0。1/",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/",
        "http://10.0.0.1/",
    ],
)
def test_a_literal_address_that_is_not_public_is_refused(url: str) -> None:
    # Given an address that is plainly not of the public internet, however it is written
    # When it is checked
    # Then it is refused, and the error names the field
    with pytest.raises(UrlNotAllowed, match="not public") as caught:
        check(url)
    assert (caught.value.code, caught.value.field) == ("url_not_allowed", "webhook_url")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("//example.com/", "scheme"),
        ("example.com", "scheme"),
        ("http:///path", "no host"),
        ("http:example.com", "no host"),
        ("http://user:secret@example.com/", "user or password"),
        ("http://example.com@127.0.0.1/", "user or password"),
        ("http://@example.com/", "user or password"),
        ("http://example.com\\@127.0.0.1/", "backslashes"),
        ("http://example.com#@127.0.0.1/", "fragment"),
        ("http://example.com/#", "fragment"),
        ("http://exa mple.com/", "spaces"),
        ("http://example.com/\n", "control characters"),
        ("http://127%2e0%2e0%2e1/", "not a name"),
        ("http://a..b/", "not a name"),
        ("http://①②⑦.0.0.1/", "cannot be read"),
        ("http://256.256.256.256/", "cannot be read"),
        ("http://0177.0.0.1/", "cannot be read"),
        ("http://4294967296/", "not an address"),
        ("http://[fe80::1%25eth0]/", "not an address"),
        ("http://example.com:0/", "port"),
        ("http://example.com:22/", "port"),
        ("http://example.com:99999/", "port"),
        ("http://example.com/" + "a" * 2000, "longer"),
        ("http://example.com/" + "ü" * 1000, "longer"),
        ("http://example.com/" + "a" * 100_000, "."),
        ("http://example.com/\ud800", "cannot be read"),
        ("", "scheme"),
    ],
)
def test_malformed_and_ambiguous_urls_are_refused(url: str, reason: str) -> None:
    # Given an address that two readers could understand differently, or that is none
    # When it is checked
    # Then it is refused, saying why, and nothing of it is repeated
    with pytest.raises(UrlNotAllowed, match=reason) as caught:
        check(url)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://10.1.2.3/", "10.0.0.0/8"),
        ("http://127.0.0.1:8080/", "192.168.0.0/16, 127.0.0.1"),
        ("http://[::1]/", "::1"),
        ("http://[::ffff:10.1.2.3]/", "10.0.0.0/8"),
        ("http://files.internal:90/", "Files.internal"),
    ],
)
def test_hosts_that_the_operator_lists_pass(url: str, allow: str) -> None:
    # Given an address that is not public but listed, alone or in a network, or a listed host with a port of its own
    # When it is checked
    # Then it passes
    assert check(url, allow).startswith("http://")


def test_a_list_opens_nothing_else() -> None:
    # Given a list of one network
    # When an address outside it is checked
    # Then it is refused
    with pytest.raises(UrlNotAllowed):
        check("http://192.168.0.1/", "10.0.0.0/8,files.internal")
