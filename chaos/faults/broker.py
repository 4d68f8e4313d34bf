"""RabbitMQ: stopped, killed, cut off, short of memory, without its queues."""

import os
import signal
import time
from random import Random

from chaos.broker import broker_channel, control, work_queues
from chaos.deployment import Deployment
from chaos.faults.fault import Struck, Whole, whole_at_once

_ALARM = 5.0
_CUT = 4.0
_CONNECTS_WITHIN = 30.0


def restart_broker(deployment: Deployment, random: Random) -> Struck:
    """Stop RabbitMQ in good order; it is restarted."""
    return Struck("SIGTERM", _ended(deployment, signal.SIGTERM))


def kill_broker(deployment: Deployment, random: Random) -> Struck:
    """Kill RabbitMQ with SIGKILL; it is restarted."""
    return Struck("SIGKILL", _ended(deployment, signal.SIGKILL))


def reset_connections(deployment: Deployment, random: Random) -> Struck:
    """Reset every connection to RabbitMQ, as soon as there are some."""
    deadline = time.monotonic() + _CONNECTS_WITHIN
    while not (count := deployment.broker_line.reset()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return Struck(f"{count} connections", whole_at_once)


def cut_broker(deployment: Deployment, random: Random) -> Struck:
    """Cut RabbitMQ off for some seconds."""
    deployment.broker_line.cut()
    try:
        time.sleep(_CUT)
    finally:
        deployment.broker_line.mend()
    return Struck(f"{_CUT:.0f} s", whole_at_once)


def delete_queues(deployment: Deployment, random: Random) -> Struck:
    """Delete the work queues, with their messages and consumers."""
    names = work_queues(deployment.settings)
    with broker_channel(deployment.node.url) as channel:
        lost = sum(channel.queue_delete(name).method.message_count for name in names)
    return Struck(f"{lost} messages", whole_at_once)


def alarm_memory(deployment: Deployment, random: Random) -> Struck:
    """Raise RabbitMQ's memory alarm, so that it takes no messages for some seconds."""
    control(deployment.node, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        time.sleep(_ALARM)
    finally:
        control(deployment.node, "set_vm_memory_high_watermark", "0.4")
    return Struck(f"{_ALARM:.0f} s", whole_at_once)


def _ended(deployment: Deployment, number: signal.Signals) -> Whole:
    former = deployment.node.pid
    if former is not None:
        os.kill(former, number)
    return lambda: deployment.node.pid not in (None, former) and deployment.node.ready()
