import resource
import subprocess
import sys

import pytest

_ASK = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from octavia.api.http.slow_clients.descriptors import connections_that_fit
fit = connections_that_fit(wanted)
print(fit, resource.getrlimit(resource.RLIMIT_NOFILE)[0], file=sys.stderr)
"""

_, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "most", "raised"),
    [
        # Two for each connection, and a reserve
        (1024, 1024, 0, 448, 1024),
        (1024, 1024, 300, 300, 1024),
        (256, 256, 0, 64, 256),
        # With fewer, half of them
        (128, 128, 0, 32, 128),
        # A soft limit is raised as far as need be
        (1024, 4096, 0, 1024, 2176),
        (1024, 4096, 1500, 1500, 3128),
        (1024, 1536, 0, 704, 1536),
    ],
)
def test_connections_leave_descriptors_for_all_else(soft: int, hard: int, wanted: int, most: int, raised: int) -> None:
    if resource.RLIM_INFINITY != HARD < hard:
        pytest.skip("The limit is lower here.")
    ask = [sys.executable, "-P", "-c", _ASK, str(soft), str(hard), str(wanted)]
    told = subprocess.run(ask, capture_output=True, text=True, check=True).stderr
    assert told.splitlines()[-1] == f"{most} {raised}"
