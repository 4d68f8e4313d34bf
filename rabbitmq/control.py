"""Facts about a RabbitMQ on this machine that only ``rabbitmqctl`` tells, if we may run it."""

import os
import re
import subprocess

import psutil

# Debian's wrapper in /usr/sbin switches user and drops the environment; the script itself does neither.
_SCRIPTS = ("/usr/lib/rabbitmq/bin/rabbitmqctl", "/opt/rabbitmq/sbin/rabbitmqctl")
# The command finds the node, and the secret that both share, by these.
_VARIABLES = ("HOME", "ERL_EPMD_ADDRESS", "ERL_EPMD_PORT", "RABBITMQ_NODENAME", "RABBITMQ_CONF_ENV_FILE")
_WITHIN = 30


def consumer_timeout(port: int) -> int | None:
    """Milliseconds that the node on this port of this machine gives a consumer to acknowledge.

    None if that is unknown: the node is on another machine, belongs to another user, or sets no limit.
    """
    node = _listening(port)
    script = next((path for path in _SCRIPTS if os.access(path, os.X_OK)), None)
    if node is None or script is None:
        return None
    try:
        environment = node.environ()
        # As the node's own user, never as root: its environment is that user's to choose.
        switch = node.uids().real != os.geteuid()
        answer = subprocess.run(
            [script, "-q", "eval", "application:get_env(rabbit, consumer_timeout)."],
            env={"PATH": os.environ.get("PATH", os.defpath)}
            | {name: environment[name] for name in _VARIABLES if name in environment},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            user=node.uids().real if switch else None,
            group=node.gids().real if switch else None,
            extra_groups=() if switch else None,
        )
    except (psutil.Error, OSError, subprocess.SubprocessError):
        return None
    found = re.fullmatch(r"\{ok,(\d+)\}", answer.stdout.strip())
    return int(found[1]) if found else None


def _listening(port: int) -> psutil.Process | None:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port
            if listens and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:
        pass
    return None
