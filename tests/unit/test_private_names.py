"""The private names of dramatiq, pika, httpx, h11 and psycopg that Octavia uses, in the locked releases.

They may change with any release. A failure here names the module of ours that must follow. Raise the upper bound in
pyproject.toml only when these tests pass with the new release.
"""

import inspect
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dramatiq
import h11
import httpcore
import httpx
import pika
import psycopg
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker, _RabbitmqConsumer
from dramatiq.worker import ConsumerThread, WorkerThread
from packaging.requirements import Requirement
from pika.adapters.base_connection import BaseConnection
from pika.connection import Connection

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

# Owner, private function, its parameters, our module, and what that does with it.
FUNCTIONS = [
    (_RabbitmqConsumer, "__init__", "broker queue_name prefetch timeout", "consumers", "QueueConsumer is one"),
    (_RabbitmqConsumer, "__next__", "", "consumers", "overridden, to read messages itself"),
    (_RabbitmqConsumer, "ack", "message", "consumers", "called for messages of this connection"),
    (_RabbitmqConsumer, "nack", "message", "consumers", "overridden, to write dead letters itself"),
    (RabbitmqBroker, "_ensure_queue", "canonical_queue_name", "rabbit", "called by declare_queue"),
    (RabbitmqBroker, "_build_queue_arguments", "queue_name", "rabbit", "overridden, for quorum queues"),
    (RabbitmqBroker, "_declare_dq_queue", "queue_name", "rabbit", "overridden, to declare no delay queue"),
    (RabbitmqBroker, "_declare_xq_queue", "queue_name", "rabbit", "overridden, for one queue of dead letters"),
    (Connection, "_adapter_call_later", "delay callback", "answers", "called, for a time limit"),
    (Connection, "_adapter_remove_timeout", "timeout_id", "answers", "called, to lift the time limit"),
    (Connection, "_terminate_stream", "error", "answers", "called, to end the connection at the time limit"),
]


@pytest.mark.parametrize(
    ("owner", "name", "parameters", "module", "use"), FUNCTIONS, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_private_function_has_the_parameters_that_we_use(
    owner: type, name: str, parameters: str, module: str, use: str
) -> None:
    explanation = f"octavia.brokers.{module} uses {owner.__name__}.{name}: {use}"
    assert hasattr(owner, name), explanation
    assert list(inspect.signature(getattr(owner, name)).parameters)[1:] == parameters.split(), explanation


def test_dramatiq_declares_a_queue_through_the_functions_that_we_override() -> None:
    # Given a broker whose functions are noted and declare nothing
    called: list[str] = []

    class Noting(RabbitmqBroker):
        channel = SimpleNamespace(queue_declare=lambda **_: called.append("queue_declare"))

        def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
            called.append("_build_queue_arguments")
            return {}

        def _declare_dq_queue(self, queue_name: str) -> None:
            called.append("_declare_dq_queue")

        def _declare_xq_queue(self, queue_name: str) -> None:
            called.append("_declare_xq_queue")

    broker = Noting(middleware=[])
    # When it makes sure of a queue that is pending, as octavia.brokers.rabbit has it do
    broker.queues_pending.add("queue")
    broker._ensure_queue("queue")
    # Then it calls what we override, once each, and the queue is pending no more
    assert called == ["_build_queue_arguments", "queue_declare", "_declare_dq_queue", "_declare_xq_queue"]
    assert broker.queues_pending == set()


def test_dramatiqs_consumer_keeps_the_attributes_that_we_use(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a connection that does nothing
    channel = SimpleNamespace(basic_qos=lambda **_: None, consume=lambda *_, **__: iter(()))
    connection = SimpleNamespace(channel=lambda: channel)
    monkeypatch.setattr(pika, "BlockingConnection", lambda **_: connection)
    # When a consumer is made, then octavia.brokers.consumers finds these on it
    consumer = _RabbitmqConsumer(SimpleNamespace(parameters=None), "queue", 1, 1000)
    assert (consumer.queue_name, consumer.channel, consumer.connection) == ("queue", channel, connection)
    assert consumer.known_tags == set()
    assert list(consumer.iterator) == []


def test_a_delivered_message_has_the_attributes_that_we_use() -> None:
    # Given a delivered message whose actor raised
    message: dramatiq.Message[Any] = dramatiq.Message("queue", "actor", (), {}, {})
    proxy = dramatiq.MessageProxy(message)
    error = ValueError("wrong")
    proxy.stuff_exception(error)
    # Then octavia.brokers.queues finds the message, and octavia.brokers.consumers the reason for its rejection
    assert proxy._message is message
    assert proxy._exception is error


def test_dramatiqs_worker_has_the_threads_that_we_watch_and_stop() -> None:
    # Given a worker, as octavia.worker.child makes one
    worker = dramatiq.Worker(dramatiq.brokers.stub.StubBroker(middleware=[]), worker_threads=1)
    # Then it has lists of threads to watch, which can be told to take no more messages
    assert (worker.workers, worker.consumers) == ([], {})
    assert list(inspect.signature(WorkerThread.stop).parameters) == ["self"]
    assert hasattr(ConsumerThread, "is_alive")


def test_a_blocking_connection_has_the_connection_that_we_use() -> None:
    # octavia.brokers.answers and octavia.cli.broker take the connection under pika's blocking one, and the greeting of
    # the server from that
    assert "self._impl = self._create_connection(" in inspect.getsource(pika.BlockingConnection.__init__)
    assert issubclass(BaseConnection, Connection)
    assert "self.server_properties" in inspect.getsource(Connection)


def test_httpx_sends_through_the_pool_that_we_replace() -> None:
    # Given a transport with a pool of ours, as octavia.outbound.client has it
    transport = httpx.AsyncHTTPTransport()
    assert isinstance(transport._pool, httpcore.AsyncConnectionPool)
    # Then it is the one that requests go through
    assert "self._pool.handle_async_request" in inspect.getsource(httpx.AsyncHTTPTransport.handle_async_request)
    # And a pool takes a network of ours
    assert "network_backend" in inspect.signature(httpcore.AsyncConnectionPool).parameters


def test_h11_reads_header_lines_with_the_pattern_that_we_replace() -> None:
    # octavia.header_lines puts another in its place, which must stay the same but for its time
    assert "validate(header_field_re, " in inspect.getsource(h11._readers._decode_header_lines)
    assert (h11._abnf.OWS, h11._abnf.field_name, h11._abnf.vchar_or_obs_text) == (
        r"[ \t]*",
        r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+",
        r"[^\x00\s]",
    )


def test_psycopg_bounds_what_it_keeps_of_statements_by_the_numbers_that_we_replace() -> None:
    # octavia.jobs.tables.engine raises them: psycopg would read the parameters of our longest statements anew each time
    source = inspect.getsource(psycopg._queries.PostgresQuery.convert)
    assert "len(query) <= MAX_CACHED_STATEMENT_LENGTH" in source
    assert "len(vars) <= MAX_CACHED_STATEMENT_PARAMS" in source


def test_packages_whose_private_names_we_use_have_upper_bounds() -> None:
    project = tomllib.loads(_PYPROJECT.read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    bounded = {found.name for line in lines if "<" in str((found := Requirement(line)).specifier)}
    assert {"dramatiq", "pika", "httpx", "httpcore", "h11", "psycopg"} <= bounded
