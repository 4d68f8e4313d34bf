"""The session's own RabbitMQ node, on free ports, with the project's configuration; and how to give it a hard time."""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pytest

from chaos.broker import control
from rabbitmq.node import Node, Ports
from tests.support.ports import free_ports


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A private node. Without RabbitMQ installed, tests that need it fail and name the package."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    node = Node(folder / "data", Ports(*free_ports(5)), output=folder / "rabbitmq.log")
    node.start()
    try:
        node.wait()
        yield node
    finally:
        node.stop(grace=0)


@contextmanager
def stopped(node: Node) -> Iterator[None]:
    """Stop RabbitMQ in good order, but not the machine below it, which takes long to start."""
    control(node, "stop_app")
    try:
        yield
    finally:
        control(node, "start_app")
        node.wait()


@contextmanager
def killed(node: Node) -> Iterator[None]:
    """Crash a node; in the end it is back, with what is durable."""
    node.kill()
    try:
        yield
    finally:
        node.wait()


@contextmanager
def memory_alarm(node: Node) -> Iterator[None]:
    """A node that has too little memory, so that it takes no messages."""
    control(node, "set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        control(node, "set_vm_memory_high_watermark", "0.4")


@contextmanager
def disk_alarm(node: Node) -> Iterator[None]:
    """A node that wants more room on its disk than any has."""
    control(node, "set_disk_free_limit", "100000GB")
    try:
        yield
    finally:
        control(node, "set_disk_free_limit", "200MB")


def delete_queues(node: Node, names: list[str]) -> None:
    """Delete queues with all that is in them, used or not."""
    with pika.BlockingConnection(pika.URLParameters(node.url)) as connection:
        channel = connection.channel()
        for name in names:
            channel.queue_delete(name)


@pytest.fixture
def rabbitmq_url(rabbitmq: Node) -> str:
    """Where to connect; tests keep apart by their queue prefix."""
    return rabbitmq.url


@pytest.fixture
def management_url(rabbitmq: Node) -> str:
    """The console and its HTTP API."""
    return rabbitmq.management_url
