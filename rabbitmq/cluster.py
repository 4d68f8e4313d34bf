"""Several private nodes on this machine that are one broker, to try a cluster whose nodes go down.

``python -m rabbitmq.cluster --data var/cluster`` runs one in the foreground.
"""

import argparse
import secrets
import sys
import time
from pathlib import Path

from octavia import private
from octavia.worker.signals import StopSignal
from rabbitmq.node import Member, Node, NodeError, Ports
from rabbitmq.ports import free_ports

_JOINED_WITHIN = 120.0


class Cluster:
    """Nodes that share quorum queues, with one port mapper. ``poll`` restarts nodes that have ended.

    Parameters:
      data: A folder, which gets one for each node.
      output: A folder for their logs; None: this process's own output.

    Raises:
      NodeError: RabbitMQ is not installed here.
    """

    def __init__(self, data: Path, size: int = 3, *, output: Path | None = None) -> None:
        cookie = secrets.token_hex(16)
        names = [f"octavia-{number}" for number in range(1, size + 1)]
        mapper, *ports = free_ports(4 * size + 1)
        self.nodes = tuple(
            Node(
                data / name,
                Ports(*[*ports[4 * index : 4 * index + 4], mapper]),
                output=output / f"{name}.log" if output else None,
                member=Member(name, names[0], cookie),
            )
            for index, name in enumerate(names)
        )

    @property
    def url(self) -> str:
        """The URLs of all nodes, as OCTAVIA_BROKER_URL takes them."""
        return ";".join(node.url for node in self.nodes)

    def start(self) -> None:
        """Start the first node, then the others, which join it; returns when all answer.

        Raises:
          NodeError: They do not answer within a minute or two.
        """
        first, *others = self.nodes
        first.start()
        first.wait()
        for node in others:
            node.start()
        for node in others:
            node.wait(_JOINED_WITHIN)
        deadline = time.monotonic() + _JOINED_WITHIN
        while not self.whole():
            if time.monotonic() > deadline:
                raise NodeError("The nodes did not become one cluster; see their logs.")
            time.sleep(0.2)

    def whole(self) -> bool:
        """Return True if every node answers and sees all others running."""
        try:
            seen = [[member["running"] for member in node.ask("nodes")] for node in self.nodes]
        except OSError:
            return False
        return all(running == [True] * len(self.nodes) for running in seen)

    def poll(self) -> None:
        """Restart nodes that have ended, when that is due."""
        for node in self.nodes:
            node.poll()

    def stop(self, grace: float) -> None:
        """Stop the nodes, the first one last; kill each that takes more than ``grace`` seconds."""
        for node in reversed(self.nodes):
            node.stop(grace)


def main() -> str | None:
    """Run a cluster in the foreground until told to stop; returns what went wrong."""
    parser = argparse.ArgumentParser(prog="rabbitmq.cluster", description="Run a RabbitMQ cluster in the foreground.")
    parser.add_argument("--data", type=Path, default=Path("var/cluster"), help="its folder [default: var/cluster]")
    parser.add_argument("--nodes", type=int, default=3, help="how many [default: 3]")
    options = parser.parse_args()
    private.begin()
    with StopSignal() as stopped:
        try:
            cluster = Cluster(options.data, options.nodes, output=options.data / "log")
            cluster.start()
        except NodeError as error:
            return str(error)
        print(f"OCTAVIA_QUEUE_TYPE=quorum OCTAVIA_BROKER_URL='{cluster.url}'", flush=True)  # noqa: T201
        while not stopped.wait(0.5):
            cluster.poll()
        cluster.stop(20.0)
    return None


if __name__ == "__main__":
    sys.exit(main())
