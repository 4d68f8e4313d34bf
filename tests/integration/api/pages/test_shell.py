"""The pages as browsers fetch them: everything named is there, nothing inline runs, and nothing is fetched twice."""

import gzip
import re
from urllib.parse import urljoin

from starlette.testclient import TestClient

from octavia.api.pages.assets import FOLDER, version
from octavia.api.pages.shell import _takes_gzip

MAIN = f"/pages/{version()}/operator/main.js"


def test_the_page_names_files_that_are_there(client: TestClient) -> None:
    # When a browser opens the page, as it may be called behind a proxy too
    page = client.get("/operator")
    named = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    # Then all its files are found from there, by addresses without a host or a root
    assert len(named) > 20
    for name in named:
        assert not name.startswith(("/", "http")), name
        if not name.startswith("data:"):
            file = client.get(urljoin("/operator", name))
            assert file.status_code == 200, name
    assert page.headers["cache-control"] == "no-cache"


def test_nothing_inline_may_run(client: TestClient) -> None:
    page = client.get("/operator")
    for answer in (page, client.get(MAIN)):
        assert "'unsafe" not in answer.headers["content-security-policy"]
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page.text) == []


def test_a_page_without_scripts_says_what_else_there_is(client: TestClient) -> None:
    assert "<noscript>" in client.get("/operator").text


def test_a_file_is_fetched_once_for_each_release(client: TestClient) -> None:
    # When a file of this release is fetched, Then it may be kept forever, and is compressed for those who take that
    kept = client.get(MAIN, headers={"accept-encoding": "gzip"})
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["content-encoding"] == "gzip"
    assert kept.headers["vary"] == "accept-encoding"
    assert kept.content == (FOLDER / "operator/main.js").read_bytes()
    assert int(kept.headers["content-length"]) == len(gzip.compress(kept.content, mtime=0))
    plain = client.get(MAIN, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == kept.content
    # And a browser that has it gets it no second time
    again = client.get(MAIN, headers={"if-none-match": kept.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    # When a page of another release asks, Then it gets what is here, and does not keep it
    other = client.get("/pages/0123456789abcdef/operator/main.js")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")


def test_only_the_pages_files_are_served(client: TestClient) -> None:
    for name in ("vendored/README.md", "../shell.py", "%2e%2e/shell.py", "operator", "", "operator/nothing.js"):
        answer = client.get(f"/pages/{version()}/{name}")
        assert answer.status_code == 404, name


def test_gzip_is_for_those_who_take_it() -> None:
    taking = ["gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.5", "*"]
    refusing = ["", "br", "gzip;q=0", "gzip; q=0.0, br", "identity"]
    assert [_takes_gzip(accepted) for accepted in taking + refusing] == [True] * 4 + [False] * 5
