"""Documentation of the API: ``/openapi.json``, ``/docs`` and a page for each kind of problem, without a key."""

from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from octavia import compact_json
from octavia.api.http.bodies import answer
from octavia.api.http.headers import is_unchanged
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.http.problems import PROBLEM_KINDS, problem_url, title_of
from octavia.api.resources.openapi import describe
from octavia.errors import NotFound

_FILES: Final = Path(__file__).parent / "swagger_ui"
_MEDIA_TYPES: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
# Only our own files, whatever text a description contains; Swagger UI sets inline styles.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"content-security-policy": _POLICY}

_DOCS: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Octavia API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
_PROBLEM: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
</head>
<body>
<h1>$title</h1>
<p>HTTP status $status, code <code>$code</code></p>
<p>$meaning</p>
</body>
</html>
""")


class ProblemTypeOut(BaseModel):
    """A kind of problem."""

    code: str
    type: str
    title: str
    status: int
    meaning: str

    @classmethod
    def of(cls, code: str, root: str) -> "ProblemTypeOut":
        """Return the description of a known code; ``root``: the path under which a proxy serves the API."""
        return cls(code=code, type=problem_url(code, root), title=title_of(code), **PROBLEM_KINDS[code]._asdict())


class ProblemTypeListOut(BaseModel):
    """The kinds of problems."""

    problems: list[ProblemTypeOut]


@operation(
    "Describe the API",
    tag="Service",
    scope=None,
    answers={200: "application/json", 304: None},
    headers=("If-None-Match",),
)
async def show_openapi(request: Request) -> Response:
    """``GET /openapi.json``: this description, in OpenAPI 3.1."""
    content, etag = _description(request)
    headers = {"etag": etag, "cache-control": "no-cache"}
    if is_unchanged(request.headers, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


@operation("Read about the API", tag="Service", scope=None, answers={200: "text/html"})
async def show_docs(request: Request) -> Response:
    """``GET /docs``: the description as a page to read and try; it loads nothing from other hosts."""
    return HTMLResponse(_DOCS, headers=_HEADERS)


@operation("A file of the page about the API", tag="Service", scope=None, answers={200: "*/*"}, problems=("not_found",))
async def show_docs_file(request: Request) -> Response:
    """``GET /docs/{file}``."""
    name = request.path_params["file"]
    if name == "start.js":
        return Response(_START, media_type="text/javascript", headers=_HEADERS)
    if name not in _MEDIA_TYPES:
        raise NotFound(f"There is no file {name[:100]!r} here.", hint=f"The page is at {root_of(request)}/docs.")
    return FileResponse(_FILES / name, media_type=_MEDIA_TYPES[name], headers=_HEADERS)


@operation("List the kinds of problems", tag="Service", scope=None, answers={200: ProblemTypeListOut})
async def list_problems(request: Request) -> Response:
    """``GET /problems``: every ``code`` of an error."""
    root = root_of(request)
    return answer(ProblemTypeListOut(problems=[ProblemTypeOut.of(code, root) for code in sorted(PROBLEM_KINDS)]))


@operation("Show a kind of problem", tag="Service", scope=None, answers={200: ProblemTypeOut}, problems=("not_found",))
async def show_problem(request: Request) -> Response:
    """``GET /problems/{code}``: the target of an error's ``type``; a page for browsers."""
    code, root = request.path_params["code"], root_of(request)
    if code not in PROBLEM_KINDS:
        raise NotFound(f"There is no problem {code[:100]!r}.", hint=f"GET {root}/problems lists all problems.")
    found = ProblemTypeOut.of(code, root)
    if "text/html" in request.headers.get("accept", ""):
        texts = {name: escape(str(value)) for name, value in found.model_dump().items()}
        return HTMLResponse(_PROBLEM.substitute(texts), headers={**_HEADERS, "vary": "accept"})
    return answer(found, headers={"vary": "accept"})


def _description(request: Request) -> tuple[bytes, str]:
    """Return the description and its ETag; all of it but the address of the server is written once for each app.

    Anybody may ask for it, as often as they like, so it must not take milliseconds each time.
    """
    state = request.app.state
    if not hasattr(state, "openapi"):
        state.openapi = compact_json.dumps(describe(request.app.routes, state.error_formats)).encode()
    servers = compact_json.dumps({"servers": [{"url": root_of(request) or "/"}]}).encode()
    content = state.openapi[:-1] + b"," + servers[1:]
    return content, f'"{sha256(content).hexdigest()}"'
