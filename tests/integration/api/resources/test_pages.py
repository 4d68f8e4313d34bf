"""What the API says of itself: true to its routes, complete, and loading nothing from elsewhere."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from octavia.api.http.problems import PROBLEM_KINDS


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


def test_the_description_is_valid(described: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_operations_on_a_job_describe_404(described: dict[str, Any]) -> None:
    about_one = {path: answers for path, answers in described["paths"].items() if "{job_id}" in path}
    assert len(about_one) > 10
    for path, operations in about_one.items():
        for method, operation in operations.items():
            said = operation["responses"].get("404", {}).get("description", "")
            assert {"`invalid_job_id`", "`job_not_found`"} <= set(re.findall("`[a-z_]+`", said)), (method, path)


def test_operations_with_304_or_206_describe_their_request_headers(described: dict[str, Any]) -> None:
    for operations in described["paths"].values():
        for operation in operations.values():
            heeded = {parameter["name"] for parameter in operation["parameters"]}
            assert ("If-None-Match" in heeded) == ("304" in operation["responses"])
            assert ("Range" in heeded) == ("206" in operation["responses"])


def test_operations_that_need_a_key_describe_it(described: dict[str, Any]) -> None:
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
    listed = client.get("/problems").json()["problems"]
    assert {problem["code"] for problem in listed} == PROBLEM_KINDS.keys()
    # When the type of an error is followed
    error = client.get("/api/v1/jobs/nothing").json()
    # Then it says what that is, to programs and to people
    found = client.get(error["type"])
    assert found.json()["meaning"] == PROBLEM_KINDS["invalid_job_id"].meaning
    assert found.json()["status"] == 404
    page = client.get(error["type"], headers={"accept": "text/html,*/*"})
    assert "<h1>Invalid job id</h1>" in page.text
    assert client.get("/problems/nothing").status_code == 404
