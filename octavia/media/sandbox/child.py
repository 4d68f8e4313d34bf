"""The child process, which decodes. ``process`` starts it with the connection as its standard input."""

import os
import socket
from dataclasses import asdict

from octavia.media.sandbox import confinement, namespaces


def run(parent: int) -> None:
    """Confine this process, then answer requests until the parent closes the connection.

    Parameters:
      parent: Process id of the parent.
    """
    network_left = namespaces.leave_network()
    confinement.tie_to(parent)
    # Import only now: the libraries may start threads, and leaving the network needs a single thread.
    from octavia.media.sandbox import serving, wire

    with socket.socket(fileno=0) as connection:
        serving.warm_up()
        layers = confinement.give_up_rights(network_left=network_left)
        # Errors up to here go to the worker's log; FFmpeg's messages do not belong there.
        os.dup2(1, 2)
        try:
            wire.send_json(connection, wire.Kind.READY, asdict(layers))
            serving.serve(connection)
        except wire.Gone:
            return
