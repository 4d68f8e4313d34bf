"""PostgreSQL: crashed, and cut off."""

import time
from random import Random

from chaos.deployment import Deployment
from chaos.faults.fault import Struck

_CUT = 5.0


def crash_database(deployment: Deployment, random: Random) -> Struck:
    """Have PostgreSQL drop everything at once; it is restarted."""
    deployment.postgres.crash()
    # By now it has stopped; its successor answers from here on.
    time.sleep(0.5)
    return Struck("SIGQUIT", deployment.postgres.ready)


def cut_database(deployment: Deployment, random: Random) -> Struck:
    """Cut PostgreSQL off for some seconds."""
    deployment.database_line.cut()
    try:
        time.sleep(_CUT)
    finally:
        deployment.database_line.mend()
    return Struck(f"{_CUT:.0f} s", deployment.postgres.ready)
