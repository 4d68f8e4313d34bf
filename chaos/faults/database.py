"""PostgreSQL: crashed, and cut off."""

import time
from random import Random

from chaos.deployment import Deployment
from chaos.faults.fault import Struck

_CUT = 5.0


def crash_database(deployment: Deployment, random: Random) -> Struck:
    """PostgreSQL drops everything at once and is started again."""
    deployment.postgres.crash()
    # It has noticed; what answers from now on is its successor.
    time.sleep(0.5)
    return Struck("SIGQUIT", deployment.postgres.ready)


def cut_database(deployment: Deployment, random: Random) -> Struck:
    """Nothing gets through to PostgreSQL for some seconds."""
    deployment.database_line.cut()
    try:
        time.sleep(_CUT)
    finally:
        deployment.database_line.mend()
    return Struck(f"{_CUT:.0f} s", deployment.postgres.ready)
