"""Several gunicorn workers on one port, without anything in front of them: each request finds the worker it is for."""

import contextlib
import json
import os
import socket
import time

import pytest

from tests.live.pollers import ENDPOINT, Poller, connect, http_connection, owners, spread
from tests.live.servers import OURS, PACKAGE, Server, children, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

LIFECYCLE = "tests.live.apps.lifecycle:app"
QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}
WORKERS = 3


@pytest.fixture(scope="module", params=["worker", "gevent", "geventwebsocket"])
def cluster(request):
    args = ("-w", str(WORKERS), "--access-logfile", "-")
    with Server(LIFECYCLE, request.param, args=args) as server:
        master = server.pid
        yield server
    assert not [name for name in os.listdir("/tmp") if f"py-{master}-" in name], "the workers left their sockets"


@pytest.fixture(scope="module", autouse=True)
def no_runtime_directory():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XDG_RUNTIME_DIR", raising=False)
        patch.setenv("TMPDIR", "/tmp")
        yield


def descriptors(server):
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in children(server.pid)}


def watched(server):
    """Files each worker's event loop watches."""
    found = {}
    for pid in children(server.pid):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if "eventpoll" in os.readlink(f"/proc/{pid}/fd/{name}"):
                    with open(f"/proc/{pid}/fdinfo/{name}") as file:
                        found[pid] = file.read().count("tfd:")
    return found


def test_each_request_on_a_connection_of_its_own(cluster):
    pollers = spread(cluster, WORKERS)
    found = owners(pollers)
    assert len(found) == WORKERS
    assert {len({poller.sid[:6] for poller in some}) for some in found.values()} == {1}
    assert {len(poller.sid) for poller in pollers} == {20}
    before, watched_before = descriptors(cluster), watched(cluster)
    for number in range(12):
        for poller in pollers:
            assert poller.call("echo", number) == number
    assert owners(pollers) == found

    def has_as_many():
        return all(descriptors(cluster)[pid] <= before[pid] for pid in before)

    wait_for(has_as_many, f"workers close what they handed over: {before}")
    assert all(watched(cluster)[pid] <= watched_before[pid] + 1 for pid in watched_before)


def test_a_connection_that_stays_goes_to_and_fro(cluster):
    some = [few[0] for few in owners(spread(cluster, WORKERS)).values()]
    connection = http_connection(cluster)
    for number in range(60):
        poller = some[number % len(some)]
        text = "x" * (number * 300)
        assert poller.call("echo", text, connection=connection) == text
        if number % 10 == 0:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ready"
    connection.close()


def test_pipelined_requests_of_several_owners_are_answered_in_order(cluster):
    some = [few[0] for few in owners(spread(cluster, WORKERS)).values()]
    order = [some[0], some[1], some[0], some[2], some[1]]
    with connect(cluster) as sock:
        sent = b""
        for number, poller in enumerate(order):
            body = b'42%d["echo",%d]' % (number, number)
            sent += b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (
                poller.url.encode(),
                len(body),
            )
            sent += body
        sent += b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        sock.sendall(sent)
        received = receive_all(sock)
    assert received.count(b"HTTP/1.1 200 OK") == len(order) + 1
    assert received.endswith(b"ready")
    for poller in some:
        numbers = [number for number, used in enumerate(order) if used is poller]
        packets = b""
        while packets.count(b"43") < len(numbers):
            packets += poller.poll() + b"\x1e"
        assert packets == b"".join(b"43%d[%d]\x1e" % (number, number) for number in numbers)


def receive_all(sock):
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def test_requests_in_pieces(cluster):
    for poller in spread(cluster, WORKERS):
        url = poller.url.encode()
        head = b"POST " + url + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\n42[\r\n", b'9\r\n"nobody"]\r\n0\r\n\r\n'
        inside = len(b"POST ") + url.index(b"sid=") + 8
        split = head[:inside], head[inside:] + b"Content-Length: 12\r\n\r\n", b"42[", b'"nobody"]'
        for pieces in (chunked, split):
            with connect(cluster) as sock:
                for piece in pieces:
                    sock.sendall(piece)
                    time.sleep(0.005)
                assert receive_all(sock).startswith(b"HTTP/1.1 200 OK"), pieces
    text = "x" * 990_000
    for poller in spread(cluster, WORKERS):
        assert poller.call("echo", text) == text


def test_an_upgrade_on_another_worker_with_its_first_frame(cluster):
    handshake = (
        "GET {} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    for poller in spread(cluster, WORKERS):
        with connect(cluster) as sock:
            url = poller.url.replace("polling", "websocket")
            sock.sendall(handshake.format(url).encode() + b"\x81\x86\0\0\0\x002probe")
            received = b""
            while not received.endswith(b"\x81\x063probe"):
                data = sock.recv(65536)
                assert data, received
                received += data
            assert received.startswith(b"HTTP/1.1 101")
            assert received.count(b"HTTP/1.1") == 1
            sock.sendall(b"\x81\x81\0\0\0\x005")
            sock.sendall(b'\x81\x8a\0\0\0\x00421["pid"]')
            while b"431[" not in received:
                data = sock.recv(65536)
                assert data, received
                received += data


def test_sessions_nobody_has(cluster):
    poller = Poller(cluster)
    unknown = [poller.sid[:6] + "x" * 14, "x" * 20, "x", "../../../../etc/passw", poller.sid + "x", "", "%2e%2e%2f"]
    for sid in unknown[:5] + unknown[6:]:
        for _ in range(WORKERS + 1):
            answer = cluster.get(f"{ENDPOINT}&sid={sid}")
            assert (answer.status, json.loads(answer.body)["code"]) == (400, 1)
    assert poller.call("echo", 1) == 1


def test_who_answers_logs(cluster):
    pollers = spread(cluster, WORKERS)
    time.sleep(0.2)
    before = cluster.log().count("/socket.io/")
    for poller in pollers:
        poller.call("echo", 1)
    wait_for(lambda: cluster.log().count("/socket.io/") >= before + 2 * len(pollers), "each request is logged")
    time.sleep(0.1)
    assert cluster.log().count("/socket.io/") == before + 2 * len(pollers), "and only once"
    assert '"-" -' not in cluster.log()


@pytest.mark.parametrize("cluster", ["worker", "gevent"], indirect=True)
def test_many_official_clients_half_of_them_polling_only(js, cluster):
    """Acknowledgements in order, and not a single error."""
    clients = [
        js.open(cluster.url, transports=["polling"] if number % 2 else ["polling", "websocket"], query={"key": "many"})
        for number in range(40)
    ]
    for number, client in enumerate(clients):
        client.wait("connect")
        if number % 2 == 0:
            client.wait("upgrade", transport="websocket")
    assert len({client.call("pid") for client in clients}) > 1
    end, rounds = time.monotonic() + 5, 0
    while time.monotonic() < end:
        rounds += 1
        for client in clients:
            assert client.call("echo", rounds) == rounds
    assert rounds > 3
    for client in clients:
        assert len(client.found("connect")) == 1
        assert not client.found("disconnect")
        assert not client.found("connect_error")
    js.forget_clients()


def test_a_client_that_leaves_in_the_middle_of_a_handed_poll_ends_its_session(cluster):
    pollers = spread(cluster, WORKERS)
    for poller in pollers:
        with connect(cluster) as sock:
            sock.sendall(f"GET {poller.url} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            time.sleep(0.02)
            sock.shutdown(socket.SHUT_WR)

    def has_ended(poller):
        return cluster.get(poller.url).status == 400

    for poller in pollers:
        wait_for(lambda poller=poller: has_ended(poller), "its session ends")
