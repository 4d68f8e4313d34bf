"""``python -m chaos``: run it and print the report; exit code 1, with the evidence kept, if anything is wrong."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom
from types import FrameType

from chaos import report
from chaos.run import Run
from octavia import observability
from octavia.settings import Settings

# Three rounds of every kind.
_FAULTS = 63
_JOBS = 100
_EVERY = 5.0


def main() -> int:
    """Run; returns the exit code."""
    options = _options()
    observability.configure(Settings(log_level="error", log_format="console"))
    signal.signal(signal.SIGTERM, _leave)
    folder = Path(tempfile.mkdtemp(prefix="octavia-chaos-"))
    # PostgreSQL's user must reach its own folder in there.
    folder.chmod(0o711)
    command = f"make chaos CHAOS_SEED={options.seed} CHAOS_JOBS={options.jobs} CHAOS_FAULTS={options.faults}"
    command += " CHAOS_ALONE=1" if options.alone else ""
    print(f"{command}\nEverything is in {folder} while it runs.", flush=True)
    began = time.monotonic()
    run = Run(folder, Random(options.seed), jobs=options.jobs, faults=options.faults, every=_EVERY, alone=options.alone)
    outcome = run.outcome(datetime.now(UTC).date(), command, options.seed)
    print(f"\n{report.text(outcome)}\nIt took {time.monotonic() - began:.0f} s in all.", flush=True)
    if outcome.misses:
        print(f"The evidence is kept in {folder}.")
        return 1
    shutil.rmtree(folder)
    if options.record:
        report.PAGE.write_text(report.page(report.PAGE.read_text(), outcome, alone=options.alone))
        print(f"Written into {report.PAGE}.")
    return 0


def _leave(number: int, _frame: FrameType | None) -> None:
    """Stop everything that was started, and ignore further signals meanwhile."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def _options() -> argparse.Namespace:
    env = os.environ
    parser = argparse.ArgumentParser(
        prog="chaos", description="Break a private deployment, and see that nothing is lost."
    )
    seed = env.get("CHAOS_SEED") or SystemRandom().randrange(1_000_000)
    parser.add_argument("--seed", type=int, default=int(seed), help="CHAOS_SEED [default: another each time]")
    parser.add_argument(
        "--jobs", type=int, default=int(env.get("CHAOS_JOBS") or _JOBS), help=f"CHAOS_JOBS [default: {_JOBS}]"
    )
    parser.add_argument(
        "--faults", type=int, default=int(env.get("CHAOS_FAULTS") or _FAULTS), help=f"CHAOS_FAULTS [default: {_FAULTS}]"
    )
    parser.add_argument(
        "--alone",
        action="store_true",
        default=bool(env.get("CHAOS_ALONE")),
        help="CHAOS_ALONE: no fault before the last has healed, to see how long each takes by itself",
    )
    parser.add_argument(
        "--record", action="store_true", default=bool(env.get("CHAOS_RECORD")), help="CHAOS_RECORD: write the page"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
