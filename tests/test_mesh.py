"""The mesh of workers: deliveries large and small, who is refused, what a dead, slow or hostile process can do."""

import array
import contextlib
import os
import random
import socket as standard
import stat
import struct
import tempfile

import gevent
import pytest
from contract.waiting import wait_until
from gevent import socket

from flask_socketio_py import mesh as mesh_module
from flask_socketio_py.mesh import MAX_DELIVERY, MAX_INCOMPLETE, Mesh

HEAD = struct.Struct("!4sI")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Member:
    """A mesh of this process, and what it was sent."""

    def __init__(self):
        self.got = []
        self.refusing = False
        self.mesh = Mesh(self.receive, os.getpid())

    def receive(self, sock, data):
        if self.refusing:
            raise ValueError("on purpose")
        return lambda: self.got.append((sock, data))


@pytest.fixture
def place(monkeypatch):
    """The directory that the directories of meshes are made in; pytest's own are too long for sockets."""
    folder = tempfile.mkdtemp(prefix="mesh-", dir="/tmp")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield folder
    os.rmdir(folder)


@pytest.fixture
def members(place):
    found = [Member(), Member()]
    yield found
    for member in found:
        for sock, _ in member.got:
            sock.close()
        member.mesh.close()


def deliver(sender, receiver, descriptor, data=b""):
    delivery = sender.mesh.connect(receiver.mesh.token)
    return delivery is not None and delivery.send(descriptor, data)


def raw(member):
    conn = standard.socket(standard.AF_UNIX, standard.SOCK_STREAM)
    conn.connect(os.path.join(member.mesh.directory, member.mesh.token))
    return conn


def rights(*given):
    return [(standard.SOL_SOCKET, standard.SCM_RIGHTS, array.array("i", given))]


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000, MAX_DELIVERY])
def test_a_connection_and_bytes_arrive(members, size):
    one, other = members
    ours, theirs = standard.socketpair()
    data = random.Random(size).randbytes(size)
    assert deliver(one, other, theirs.fileno(), data)
    theirs.close()
    [(sock, received)] = other.got
    assert received == data
    assert not os.get_inheritable(sock.fileno())
    sock.send(b"hello")
    assert ours.recv(10) == b"hello"
    ours.close()


def test_more_than_fits_is_not_sent(members):
    one, other = members
    ours, theirs = standard.socketpair()
    assert not deliver(one, other, theirs.fileno(), bytes(MAX_DELIVERY + 1))
    gevent.sleep(0.05)
    assert other.got == []
    ours.close()
    theirs.close()


def test_many_at_once_leave_nothing_open(members):
    one, other = members
    before = descriptors()
    pairs = [standard.socketpair() for _ in range(50)]
    jobs = [gevent.spawn(deliver, one, other, theirs.fileno(), bytes(100_000)) for _, theirs in pairs]
    assert all(job.get(timeout=20) for job in jobs)
    for sock in [sock for pair in pairs for sock in pair] + [sock for sock, _ in other.got]:
        sock.close()
    assert len(other.got) == 50
    assert descriptors() == before


@pytest.mark.parametrize(
    "token", ["", "x", "......", "../../", "a/bcde", "abcdefg", "abcde\0", "abcde\n", "äöüäöü", "AAAAAA"]
)
def test_nobody_has_that_name(members, token):
    assert members[0].mesh.connect(token) is None


def test_nobody_is_its_own_sibling(members):
    assert members[0].mesh.connect(members[0].mesh.token) is None


def test_who_refuses_leaves_the_connection_to_the_sender(members):
    one, other = members
    other.refusing = True
    ours, theirs = standard.socketpair()
    before = descriptors()
    assert not deliver(one, other, theirs.fileno(), b"x")
    assert descriptors() == before
    theirs.send(b"still mine")
    assert ours.recv(20) == b"still mine"
    ours.close()
    theirs.close()


def test_only_its_user_gets_in(members, place):
    mesh = members[0].mesh
    assert stat.S_IMODE(os.stat(mesh.directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(mesh.directory, mesh.token)).st_mode) == 0o600
    assert mesh.directory == members[1].mesh.directory
    assert os.path.dirname(mesh.directory) == place


def test_a_process_of_another_user_gets_nothing_and_gives_nothing(members, monkeypatch):
    one, other = members
    conn = raw(other)
    ours, theirs = standard.socketpair()
    conn.sendmsg([HEAD.pack(b"fsp1", 0)], rights(theirs.fileno()))
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    gevent.sleep(0.05)
    assert one.mesh.connect(other.mesh.token) is None
    gevent.sleep(0.05)
    assert other.got == []
    with contextlib.suppress(ConnectionResetError):
        assert conn.recv(1) == b""
    for sock in (conn, ours, theirs):
        sock.close()


def test_a_killed_one_is_found_out_at_once(members):
    one, _ = members
    path = os.path.join(one.mesh.directory, "killed")
    with standard.socket(standard.AF_UNIX) as dead:
        dead.bind(path)
    assert one.mesh.connect("killed") is None
    assert not os.path.exists(path)


def test_one_that_does_not_answer_keeps_nothing(members, monkeypatch):
    """It is stopped, or busy: when it goes on, what it was sent is not its any more."""
    one, _ = members
    monkeypatch.setattr(mesh_module, "DEADLINE", 0.1)
    with standard.socket(standard.AF_UNIX) as slow:
        slow.bind(os.path.join(one.mesh.directory, "slowly"))
        slow.listen(1)
        ours, theirs = standard.socketpair()
        delivery = one.mesh.connect("slowly")
        assert not delivery.send(theirs.fileno(), b"x")
        accepted, _ = slow.accept()
        with pytest.raises(BrokenPipeError):
            accepted.send(b"\1")
        accepted.close()
        crowding = []
        with contextlib.suppress(BlockingIOError):  # fill its backlog
            while True:
                crowding.append(standard.socket(standard.AF_UNIX))
                crowding[-1].setblocking(False)
                crowding[-1].connect(os.path.join(one.mesh.directory, "slowly"))
        assert one.mesh.connect("slowly") is None
    for sock in [ours, theirs, *crowding]:
        sock.close()


def test_what_comes_from_one_that_has_given_up_is_dropped(members):
    _, other = members
    ours, theirs = standard.socketpair()
    before = descriptors()
    conn = raw(other)
    conn.sendmsg([HEAD.pack(b"fsp1", 1) + b"x"], rights(theirs.fileno()))
    conn.close()
    gevent.sleep(0.1)
    assert other.got == []
    assert descriptors() == before
    theirs.close()
    assert ours.recv(1) == b""
    ours.close()


def hostile():
    """(name, a function that sends something on a connection, given a socket to send along)"""

    def sends(data, *sockets):
        return lambda conn: conn.sendmsg([data], rights(*(sock.fileno() for sock in sockets)) if sockets else [])

    pair, udp = standard.socketpair(), standard.socket(type=standard.SOCK_DGRAM)
    listening = standard.create_server(("127.0.0.1", 0))
    pipe = [open(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]  # noqa: SIM115
    good = HEAD.pack(b"fsp1", 1) + b"x"
    cases = [
        ("no descriptor", sends(good)),
        ("two", sends(good, *pair)),
        ("ten", sends(good, *[pair[0]] * 10)),
        ("a pipe", sends(good, pipe[0])),
        ("a datagram socket", sends(good, udp)),
        ("a listening socket", sends(good, listening)),
        ("another magic", sends(b"fsp2" + good[4:], pair[0])),
        ("HTTP", sends(b"GET / HTTP/1.1\r\n\r\n", pair[0])),
        ("too large", sends(HEAD.pack(b"fsp1", MAX_DELIVERY + 1), pair[0])),
        ("more than announced", sends(good + b"y", pair[0])),
        ("a second one later", lambda conn: (sends(good[:6], pair[0])(conn), sends(good[6:], pair[1])(conn))),
        ("half, then nothing", lambda conn: (sends(good[:6], pair[0])(conn), conn.shutdown(standard.SHUT_WR))),
        ("nothing", lambda conn: conn.shutdown(standard.SHUT_WR)),
    ]
    return cases, [*pair, udp, listening, *pipe]


def test_hostile_deliveries_are_refused_and_leave_nothing_open(members):
    _, other = members
    cases, used = hostile()
    before = descriptors()
    for name, send in cases * 3:
        conn = raw(other)
        send(conn)
        socket.wait_read(conn.fileno(), 5, AssertionError(f"{name}: it is not closed"))
        with contextlib.suppress(ConnectionResetError):
            assert conn.recv(1) == b"", name
        conn.close()
        assert other.got == [], name
        assert descriptors() == before, name
    assert deliver(members[0], other, used[0].fileno())
    for file in used:
        file.close()


def test_random_bytes(members):
    one, other = members
    generator = random.Random(47)
    before = descriptors()
    for number in range(1500):
        ours, theirs = standard.socketpair()
        conn = raw(other)
        data = generator.randbytes(generator.randrange(1, 40))
        if generator.random() < 0.5:
            data = b"fsp1" + data
        conn.sendmsg([data], rights(theirs.fileno()) if generator.random() < 0.8 else [])
        for sock in (conn, ours, theirs):
            sock.close()
        if number % 10 == 0:
            gevent.sleep(0.001)
    wait_until(lambda: descriptors() == before, "everything is closed")
    assert other.got == []
    with standard.socket() as sock:
        assert deliver(one, other, sock.fileno())


def test_unfinished_deliveries_are_bounded(members):
    one, other = members
    before = descriptors()
    unfinished = []
    for _ in range(MAX_INCOMPLETE + 20):
        unfinished.append(raw(other))
        gevent.sleep(0)
    wait_until(lambda: descriptors() == before + 2 * MAX_INCOMPLETE + 20, "those above the limit are closed")
    for conn in unfinished:
        conn.close()
    wait_until(lambda: descriptors() == before, "the others too")
    with standard.socket() as sock:
        assert deliver(one, other, sock.fileno())


def test_without_descriptors_left_siblings_wait(members, monkeypatch):
    one, other = members
    ours, theirs = standard.socketpair()
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    delivery = one.mesh.connect(other.mesh.token)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), limits[1]))
    try:
        filled = []
        with contextlib.suppress(OSError):  # too many open files
            while True:
                filled.append(open("/dev/null", "rb"))  # noqa: SIM115
        job = gevent.spawn(delivery.send, theirs.fileno(), b"x")
        gevent.sleep(0.05)
        assert not job.dead
        for file in filled:
            file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert job.get(timeout=5)
    ours.close()
    theirs.close()


def test_a_child_does_not_keep_it_alive(place):
    before = set(os.listdir("/proc/self/fd"))
    member = Member()
    new = {int(name) for name in set(os.listdir("/proc/self/fd")) - before if os.path.exists(f"/proc/self/fd/{name}")}
    child = os.fork()
    if child == 0:
        member.mesh.close()  # which is the parent's to do
        alive = [number for number in new if os.path.exists(f"/proc/self/fd/{number}")]
        os._exit(len(alive))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert os.listdir(member.mesh.directory) == [member.mesh.token]
    member.mesh.close()


def test_the_last_one_takes_the_directory_along(place):
    one, other = Member(), Member()
    with standard.socket(standard.AF_UNIX) as dead:
        dead.bind(os.path.join(one.mesh.directory, "killed"))
    one.mesh.close()
    one.mesh.close()
    assert os.listdir(other.mesh.directory) == [other.mesh.token]
    assert other.mesh.connect(one.mesh.token) is None
    other.mesh.close()
    assert os.listdir(place) == []
