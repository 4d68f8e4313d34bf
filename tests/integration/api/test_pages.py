"""What the API says of itself: true to its routes, complete, and loading nothing from elsewhere."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from octavia.api.problem_types import MEANINGS
from octavia.api.problems import STATUS


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_every_operation_is_described(described: dict[str, Any]) -> None:
    # Given all operations of the description
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    # Then each has a name of its own, a summary and a tag that is explained
    assert len(operations) > 30
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] and operation["description"] for operation in operations)
    tags = {tag["name"] for tag in described["tags"]}
    assert {tag for operation in operations for tag in operation["tags"]} == tags
    # And every schema that it refers to is there
    named = set(re.findall(r"#/components/schemas/([^\"']+)", str(described)))
    assert named == set(described["components"]["schemas"])


def test_what_needs_a_key_says_so(described: dict[str, Any]) -> None:
    paths = described["paths"]
    assert paths["/api/v1/jobs"]["post"]["security"] == [{"key": []}]
    assert paths["/api/v1/jobs"]["post"]["responses"].keys() >= {"202", "400", "401", "403", "413", "422", "429", "503"}
    assert paths["/healthz"]["get"]["security"] == []
    assert "401" not in paths["/healthz"]["get"]["responses"]


def test_the_description_is_fetched_again_only_when_it_changed(client: TestClient) -> None:
    etag = client.get("/openapi.json").headers["etag"]
    assert client.get("/openapi.json", headers={"if-none-match": etag}).status_code == 304


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    # When a browser opens the page
    page = client.get("/docs")
    # Then it names our own files only, which are there, and may load no others
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert named == ["docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"]
    for name in named:
        file = client.get(f"/{name}")
        assert file.status_code == 200
        assert file.headers["content-type"].partition(";")[0] in ("text/css", "text/javascript")
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/docs/README.md").status_code == 404


def test_every_problem_has_its_page(client: TestClient) -> None:
    # Given all codes
    assert MEANINGS.keys() == STATUS.keys()
    listed = client.get("/problems").json()["problems"]
    assert {problem["code"] for problem in listed} == STATUS.keys()
    # When the type of an error is followed
    error = client.get("/api/v1/jobs/nothing").json()
    # Then it says what that is, to programs and to people
    found = client.get(error["type"])
    assert found.json()["meaning"] == MEANINGS["invalid_job_id"]
    assert found.json()["status"] == 404
    page = client.get(error["type"], headers={"accept": "text/html,*/*"})
    assert "<h1>Invalid job id</h1>" in page.text
    assert client.get("/problems/nothing").status_code == 404
