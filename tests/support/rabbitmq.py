"""The session's own RabbitMQ node, on free ports, with the project's configuration."""

from collections.abc import Iterator

import pytest

from rabbitmq.node import Node, Ports


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A private node. Without RabbitMQ installed, tests that need it fail and name the package."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    node = Node(folder / "data", Ports.free(), output=folder / "rabbitmq.log")
    node.start()
    try:
        node.wait()
        yield node
    finally:
        node.stop(grace=0)


@pytest.fixture
def rabbitmq_url(rabbitmq: Node) -> str:
    """Where to connect; tests keep apart by their queue prefix."""
    return rabbitmq.url


@pytest.fixture
def management_url(rabbitmq: Node) -> str:
    """The console and its HTTP API."""
    return rabbitmq.management_url
