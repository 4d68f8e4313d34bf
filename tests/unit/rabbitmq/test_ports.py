"""Ports that nobody else gets."""

import socket

from rabbitmq.ports import free_ports


def test_ports_are_free_different_and_none_that_a_client_may_get() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    assert max(ports) < 32_768
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
