"""The pages' shells, and the files that they load: nothing comes from other hosts, and nothing inline runs.

Every address is relative to the page, so a page works under any path of a proxy.
"""

from functools import cache
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from octavia.api.http.headers import is_unchanged
from octavia.api.http.operations import operation
from octavia.api.http.paths import root_of
from octavia.api.pages.assets import assets, version
from octavia.errors import NotFound

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"content-security-policy": _POLICY}
_THEME: Final = "shared/theme.js"
"""No module: it runs before the first paint."""
_FOREVER: Final = "public, max-age=31536000, immutable"

_OPERATOR: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Octavia operator</title>
<link rel="icon" href="data:,">
<script src="$files/$theme"></script>
$styles
$preloads
<script type="module" src="$files/operator/main.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<div class="brand"><strong>Octavia</strong><span class="muted">operator</span></div>
<nav aria-label="Views"><ul id="views">
<li><a href="#/overview">Overview</a></li>
<li><a href="#/jobs">Jobs</a></li>
<li><a href="#/workers">Workers</a></li>
<li><a href="#/failures">Failures</a></li>
<li><a href="#/dead-letters">Dead letters</a></li>
<li><a href="#/maintenance">Maintenance</a></li>
<li><a href="#/actions">Actions</a></li>
</ul></nav>
<div class="session" id="session"></div>
</header>
<div id="notices" class="notices"></div>
<main id="main" tabindex="-1">
<noscript><p>This page needs JavaScript. Without it, see <code>octavia --help</code>, or the <a href="docs">API</a>.</p>
</noscript>
</main>
<div id="announcer" class="visually-hidden" role="status" aria-live="polite"></div>
<dialog id="sign-in" aria-labelledby="sign-in-title">
<form class="stack">
<h2 id="sign-in-title">Sign in</h2>
<p id="sign-in-reason" class="muted">Use an API key with the scope <code>operate</code>. The page keeps a cookie, not
the key.</p>
<label class="field">API key
<input type="password" name="key" autocomplete="current-password" spellcheck="false" required placeholder="oct_…"
 aria-describedby="sign-in-reason"></label>
<p class="error-text" role="alert"></p>
<div class="row end"><button class="primary">Sign in</button></div>
</form>
</dialog>
<div id="dialogs"></div>
</body>
</html>
""")


@operation("Operate the service in a browser", tag="Service", scope=None, answers={200: "text/html"})
async def show_operator(request: Request) -> Response:
    """``GET /operator``: the operator's page. What it shows and does needs the same scopes as the API."""
    return HTMLResponse(_operator(), headers={**_HEADERS, "cache-control": "no-cache"})


@operation(
    "A file of a page",
    tag="Service",
    scope=None,
    answers={200: "*/*", 304: None},
    problems=("not_found",),
    headers=("If-None-Match",),
)
async def show_page_file(request: Request) -> Response:
    """``GET /pages/{version}/{name}``: a file of the pages; ``version`` names the release that the page is from."""
    name = request.path_params["name"]
    asset = assets().get(name)
    if asset is None:
        raise NotFound(f"There is no file {name[:100]!r} here.", hint=f"A page is at {root_of(request)}/operator.")
    # While a service is upgraded, a page of the other release may ask; it must not keep what it gets.
    lasting = request.path_params["version"] == version()
    headers = {
        "cache-control": _FOREVER if lasting else "no-cache",
        "etag": asset.etag,
        "vary": "accept-encoding",
        **_HEADERS,
    }
    if is_unchanged(request.headers, asset.etag):
        return Response(status_code=304, headers=headers)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        return Response(asset.compressed, media_type=asset.media_type, headers=headers)
    return Response(asset.plain, media_type=asset.media_type, headers=headers)


@cache
def _operator() -> str:
    """Return the shell, which names every module at once: browsers would find them one after the other."""
    files = f"pages/{version()}"
    # Shared ones first: later rules win. What charts need is loaded when the first one is drawn.
    ours = [name for room in ("shared", "operator") for name in assets() if name.startswith(f"{room}/")]
    styles = [f'<link rel="stylesheet" href="{files}/{name}">' for name in ours if name.endswith(".css")]
    modules = ["vendored/preact-htm.js", *(name for name in ours if name.endswith(".js") and name != _THEME)]
    preloads = [f'<link rel="modulepreload" href="{files}/{name}">' for name in modules]
    return _OPERATOR.substitute(files=files, theme=_THEME, styles="\n".join(styles), preloads="\n".join(preloads))


def _takes_gzip(accepted: str) -> bool:
    """Return whether a client takes gzip; one that names it with a weight of zero does not."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
