"""RabbitMQ without the proxy, to break it and to look at its queues."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pika
import pika.exceptions
import psutil
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from octavia.brokers.connections import connection_parameters
from octavia.brokers.queues import real_name
from octavia.jobs.tables.states import Queue
from octavia.settings import Settings
from rabbitmq.node import Node

# Debian's wrapper in /usr/sbin switches user and drops the environment; the script itself does neither.
_COMMAND = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_PATIENCE = 60.0
_AWAY = (pika.exceptions.AMQPError, AMQPConnectorException, OSError)


def work_queues(settings: Settings) -> list[str]:
    """The real names of the work queues, without those of dead letters."""
    return [real_name(settings.queue_prefix, queue) for queue in Queue]


@contextmanager
def broker_channel(url: str) -> Iterator[Any]:
    """Open a channel that confirms messages; waits for a broker that is away."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = pika.BlockingConnection(connection_parameters(url))
            break
        except _AWAY:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    with connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def waiting(url: str, name: str) -> int:
    """The number of messages that wait on a queue; 0 if it does not exist."""
    try:
        with broker_channel(url) as channel:
            return int(channel.queue_declare(name, passive=True).method.message_count)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == 404:
            return 0
        raise


def control(node: Node, *arguments: str) -> str:
    """Run ``rabbitmqctl`` for a node, repeatedly while that does not answer; returns its output.

    Raises:
      TimeoutError: It does not answer, or refuses, for a minute.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        said = "it does not run"
        with suppress(psutil.Error):
            # The command finds the node, and the secret that both share, by the node's environment.
            environment = psutil.Process(node.pid or 0).environ()
            done = subprocess.run([_COMMAND, *arguments], env=environment, cwd="/", capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout
            said = done.stdout + done.stderr
        if time.monotonic() > deadline:
            raise TimeoutError(f"rabbitmqctl {' '.join(arguments)}: {said}")
        time.sleep(0.5)
