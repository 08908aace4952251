"""What clients break off over TLS is their affair: our hosts go on, and show no traceback."""

import socket
import ssl
import struct

import pytest

from tests.live.pollers import Poller, connect
from tests.live.servers import OURS, PACKAGE, Server, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

LARGE = b'421["echo","%b"]' % (b"x" * 900_000)


def client_hello():
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def end(sock, *, reset):
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("kind", ["run", "worker"])
def test_clients_that_break_off(kind):
    with Server("tests.live.apps.lifecycle:app", kind, tls=True) as server:
        hello = client_hello()
        for reset in (False, True):
            for sent in (b"", hello[:20], hello, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\5" + b"x" * 100):
                sock = socket.create_connection(("127.0.0.1", server.port), 20)
                sock.sendall(sent)
                if sent == hello:
                    assert sock.recv(1)
                end(sock, reset=reset)
            poller = Poller(server)
            for _ in range(4):
                poller.post(LARGE)
            reader = connect(server, receive_buffer=4096)
            reader.sendall(f"GET {poller.url} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert reader.recv(1)
            end(reader, reset=reset)
            wait_for(lambda: Poller(server).call("echo", 1) == 1, "it serves")
