"""A draining worker does not wait for clients that say no more, or read no more, whoever accepted them."""

import json
import signal
import socket
import time

import pytest

from tests.live.pollers import Poller, connect, spread
from tests.live.servers import OURS, PACKAGE, Server, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

# So that only the draining can end in time what waits for a client. Longer than gunicorn's graceful timeout.
PATIENT = """
def post_worker_init(worker):
    from flask_socketio_py import wsgi_server, relay
    wsgi_server.Handler.header_timeout = wsgi_server.Handler.idle_timeout = 100
    wsgi_server.Server.handshake_timeout = relay.SEND_TIMEOUT = 100
"""
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Na"


def half_a_body(poller):
    return f"POST {poller.url} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n42".encode()


def poll(poller):
    return f"GET {poller.url} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def server(request, tmp_path):
    configuration = tmp_path / "patient.py"
    configuration.write_text(PATIENT)
    arguments = ("-w", "2", "-c", str(configuration), "--graceful-timeout", "20")
    options = {"body_timeout": 100, "ping_interval": 100, "ping_timeout": 100}
    with Server(
        "tests.live.apps.lifecycle:app", "worker", args=arguments, tls=request.param, options=options
    ) as server:
        yield server


def ends_by_itself(server):
    """gunicorn kills a worker that outlives the graceful timeout, or the worker says that it has."""
    server.stop(signal.SIGTERM)
    assert server.log().count("Worker exiting") == 2
    assert "graceful timeout" not in server.log()


def everywhere(server, sent, number=8):
    """Connections on which this was sent: which worker has accepted each of them is the kernel's choice."""
    connections = []
    for _ in range(number):
        connections.append(connect(server))
        connections[-1].sendall(sent)
    return connections


def test_half_a_head(server):
    connections = everywhere(server, HALF_A_HEAD)
    ends_by_itself(server)
    for connection in connections:
        connection.close()


def test_nothing_and_half_a_handshake(server):
    connections = []
    for number in range(8):
        connections.append(socket.create_connection(("127.0.0.1", server.port), 20))
        if number % 2 and server.tls:
            connections[-1].sendall(b"\x16\x03\x01\x02\0\x01")
    time.sleep(0.1)
    ends_by_itself(server)
    for connection in connections:
        connection.close()


def test_half_a_body_and_a_poll_for_sessions_of_both(server):
    connections = []
    for number, poller in enumerate(spread(server, 2)[:8]):
        connections += everywhere(server, half_a_body(poller) if number % 2 else poll(poller), 1)
    time.sleep(0.1)
    ends_by_itself(server)
    for connection in connections:
        connection.close()


def test_an_answer_that_nobody_reads(server):
    connections = []
    for _ in range(8):
        poller = Poller(server)
        for _ in range(4):
            poller.post(b"42" + b"1" + json.dumps(["echo", "x" * 900_000]).encode())
        connections.append(connect(server, receive_buffer=4096))
        connections[-1].sendall(poll(poller))
    for connection in connections:
        wait_for(lambda connection=connection: connection.recv(1), "the answer begins")
    ends_by_itself(server)
    for connection in connections:
        connection.close()


def test_what_the_application_has_under_way_is_answered(server):
    connection = connect(server)
    connection.sendall(b"GET /slow/2.5?key=x HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: "slow begins x" in server.log(), "it has begun")
    ends_by_itself(server)
    answer = b""
    while data := connection.recv(65536):
        answer += data
    assert answer.endswith(b"took its time")
    connection.close()
