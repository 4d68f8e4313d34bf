"""The API behind a real nginx, under a path, which may remove the path from requests or not."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin
from uuid import UUID

import httpx
import pytest
from openai import OpenAI
from websockets.sync.client import connect

from octavia.client import Octavia
from octavia.jobs.access import keys
from octavia.jobs.access.keys import Scope
from octavia.jobs.tables.database import Database
from octavia.settings import Settings
from octavia.storage import Storage
from tests.integration.api.driving import RESULTS, complete
from tests.integration.api.server import Server
from tests.integration.jobs.steps import Steps
from tests.support.nginx import PROXY_SETTINGS, Nginx

DUB = {"type": "dub", "source_language": "en", "target_language": "es"}
FILE = {"file": ("talk.wav", b"sound", "audio/wav")}
ROOT = "/speech/octavia"


class Site(NamedTuple):
    """An API behind nginx: a client of each, and the means to play its workers."""

    direct: httpx.Client
    http: httpx.Client
    steps: Steps
    storage: Storage
    key: str

    def follow(self, answer: httpx.Response, link: str) -> httpx.Response:
        """What a browser or a program gets that follows a link of an answer."""
        found = self.http.get(urljoin(str(answer.url), link))
        assert found.status_code == 200, (link, found.text)
        return found


WAYS = {
    # The operator names the path, and nginx passes requests on as they are
    "whole": ({"root_path": ROOT}, "location {root}/ {{ proxy_pass http://127.0.0.1:{port}; {more} }}"),
    # nginx removes the path, and the operator names it nevertheless
    "removed": ({"root_path": ROOT}, "location {root}/ {{ proxy_pass http://127.0.0.1:{port}/; {more} }}"),
    # nginx removes the path, and names it itself
    "forwarded": (
        {"trusted_proxies": "127.0.0.1, 10.0.0.0/8"},
        "location {root}/ {{ proxy_pass http://127.0.0.1:{port}/; {more} "
        "proxy_set_header X-Forwarded-Prefix {root}; }}",
    ),
}


@pytest.fixture(params=WAYS)
def site(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Site]:
    chosen, location = WAYS[request.param]
    settings = Settings(
        data_dir=tmp_path,
        models_dir=tmp_path / "models",
        database_url=sqlite_url,
        auth="keys",
        sync_sunset="2099-01-01",
        **chosen,
    )
    database = Database(sqlite_url)
    _, key = keys.create(database, "ann", owner="ann", scopes=[Scope.READ, Scope.WRITE])
    headers = {"authorization": f"Bearer {key}"}
    with (
        Server(settings) as server,
        Nginx(tmp_path / "nginx", location.format(root=ROOT, port=server.port, more=PROXY_SETTINGS)) as nginx,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=60) as direct,
        httpx.Client(base_url=f"{nginx.url}{ROOT}", headers=headers, timeout=60) as http,
    ):
        yield Site(direct, http, Steps(database), Storage(settings.storage), key)
    database.close()


def test_every_link_leads_through_the_proxy(site: Site) -> None:
    # When a job is submitted through it
    answer = site.http.post("/api/v1/jobs", data=DUB, files=FILE)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    # Then its links lead back
    assert answer.headers["location"] == f"{ROOT}/api/v1/jobs/{job['id']}"
    assert site.follow(answer, answer.headers["location"]).json()["id"] == job["id"]
    complete(site.steps, site.storage, UUID(job["id"]))
    for link in job["links"].values():
        site.follow(answer, link)
    # And so do those of every other answer about it
    path = f"/api/v1/jobs/{job['id']}"
    shown = [site.http.get(path).json(), site.http.get("/api/v1/jobs?limit=1").json()["jobs"][0]]
    assert [one["links"] for one in shown] == [job["links"]] * 2
    listed = site.http.get(f"{path}/artifacts")
    for artifact in listed.json()["artifacts"]:
        assert site.follow(listed, artifact["url"]).content == RESULTS[artifact["name"]][1]
    deprecated = site.http.post(f"{path}/process")
    assert deprecated.headers["location"] == answer.headers["location"]
    site.follow(deprecated, deprecated.links["deprecation"]["url"])


def test_errors_and_pages_lead_through_the_proxy(site: Site) -> None:
    # When a request is refused, then its type and instance are addresses there
    refused = site.http.get("/api/v1/jobs/nothing")
    assert refused.json()["instance"] == f"{ROOT}/api/v1/jobs/nothing"
    assert site.follow(refused, refused.json()["type"]).json()["code"] == "invalid_job_id"
    kinds = site.http.get("/problems")
    site.follow(kinds, kinds.json()["problems"][0]["type"])
    missing = site.http.get("/api/v1/nothing").json()
    assert f"{ROOT}/docs" in missing["hint"]
    # And OpenAI's protocol has its own form of errors there, too
    assert site.http.get("/v1/models/nothing").json()["error"]["code"] == "model_not_found"
    # When a browser opens the page, with a slash at its end or without
    for address in ("/docs", "/docs/", "/operator", "/operator/"):
        page = site.http.get(address, headers={"accept": "text/html"}, follow_redirects=True)
        # Then it finds its files
        for name in re.findall(r'(?:src|href)="([^"#:]+)"', page.text):
            site.follow(page, name)
    # And the description names the server so that its paths are found
    described = site.http.get("/openapi.json")
    (server,) = described.json()["servers"]
    assert server == {"url": ROOT}
    site.follow(described, f"{server['url']}/api/v1/jobs")


def test_events_come_through_the_proxy(site: Site) -> None:
    job = site.http.post("/api/v1/jobs", data=DUB, files=FILE).json()
    path = f"/api/v1/jobs/{job['id']}"
    assert site.http.post(f"{path}/cancel").json()["links"] == job["links"]
    with site.http.stream("GET", f"{path}/events") as stream:
        assert "event: canceled" in list(stream.iter_lines())
    url = str(site.http.base_url).replace("http:", "ws:", 1).rstrip("/")
    with connect(f"{url}{path}/ws", additional_headers={"authorization": f"Bearer {site.key}"}) as socket:
        told = [json.loads(message)["type"] for message in socket]
    assert told[-1] == "canceled"


def test_an_answer_is_repeated_with_the_links_of_the_way_that_its_request_came(site: Site) -> None:
    def submit(client: httpx.Client) -> dict[str, Any]:
        answer = client.post("/api/v1/jobs", data=DUB, files=FILE, headers={"idempotency-key": "one"})
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        assert answer.headers["location"] == job["links"]["self"]
        assert answer.headers.get("content-length") == str(len(answer.content))
        return job

    # When a request is sent again, each time another way
    jobs = [submit(client) for client in (site.http, site.direct, site.http)]
    # Then it is the same job, and all that differs is the path before its links
    assert len({job["id"] for job in jobs}) == 1
    assert [job["links"]["self"].removesuffix(f"/api/v1/jobs/{jobs[0]['id']}") for job in jobs][::2] == [ROOT, ROOT]
    assert jobs[0] == jobs[2]
    assert jobs[1] == {**jobs[0], "links": jobs[1]["links"]}


def test_clients_work_through_the_proxy(site: Site, tmp_path: Path) -> None:
    base_url = str(site.http.base_url).rstrip("/")
    # Given our own client
    with Octavia(base_url, site.key) as octavia:
        job = octavia.submit("dub", file=("talk.wav", b"sound"), source_language="en", target_language="es")
        complete(site.steps, site.storage, job.id)
        assert [event.type for event in octavia.watch(job.id)][-1] == "completed"
        assert octavia.download(job.id, "dub.wav", tmp_path).read_bytes() == RESULTS["dub.wav"][1]
        assert [listed.id for listed in octavia.list()] == [job.id]
    # And OpenAI's
    with OpenAI(base_url=f"{base_url}/v1", api_key=site.key, max_retries=0) as openai:
        assert "whisper-1" in {model.id for model in openai.models.list()}


@pytest.mark.parametrize("more", ["", "proxy_http_version 1.1;", PROXY_SETTINGS])
def test_an_api_without_keys_is_not_opened_to_the_world(tmp_path: Path, sqlite_url: str, more: str) -> None:
    settings = Settings(data_dir=tmp_path, models_dir=tmp_path / "models", database_url=sqlite_url)
    # Given nginx before an API without keys, as it comes or well configured
    if more == "proxy_http_version 1.1;":
        more += " proxy_set_header X-Real-IP $remote_addr;"
    with (
        Server(settings) as server,
        Nginx(tmp_path / "nginx", f"location / {{ proxy_pass http://127.0.0.1:{server.port}; {more} }}") as nginx,
    ):
        # When anybody asks, then nothing is answered but how to go on
        answer = httpx.get(f"{nginx.url}/api/v1/jobs", timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (403, "proxy_not_allowed")
        assert "octavia keys create" in answer.json()["hint"]
        # And on this machine it works as before
        assert httpx.get(f"http://127.0.0.1:{server.port}/api/v1/jobs", timeout=60).status_code == 200
