"""The process that decodes. It is started by ``process`` with its connection as standard input, and ends with it."""

import os
import socket

from octavia.media.sandbox import confinement


def run(parent: int) -> None:
    """Confine this process, then answer requests until the other side is gone.

    Parameters:
      parent: The process that started this one.
    """
    network_left = confinement.leave_network()
    confinement.tie_to(parent)
    # Only now: the libraries may start threads.
    from octavia.media.sandbox import serving, wire

    with socket.socket(fileno=0) as connection:
        serving.warm_up()
        confinement.give_up_rights()
        # What goes wrong up to here is told in the worker's own log; FFmpeg has nothing to say there.
        os.dup2(1, 2)
        try:
            wire.send_json(connection, wire.Kind.READY, {"network": not network_left})
            serving.serve(connection)
        except wire.Gone:
            return
