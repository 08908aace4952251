"""Owns the functions of one socket: what is attached, taken away, and taken for once; and who sees what is emitted."""

import pytest
from contract.application import Application, Peer, serve
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.socketio.listeners import Listeners


def functions():
    return [lambda *args, number=number: number for number in range(3)]


FUNCTIONS = functions()
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("ab"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("remove"), st.sampled_from(["a", "b", None]), st.sampled_from([0, 1, 2, None])),
        st.tuples(st.just("take"), st.sampled_from("abc")),
    ),
    max_size=20,
)


@given(STEPS)
def test_it_is_a_list_of_functions_by_event(steps):
    listeners, model = Listeners(), []
    for step, event, *rest in steps:
        if step == "add":
            number, once = rest
            listeners.add(event, FUNCTIONS[number], once=once)
            model.append((event, number, once))
        elif step == "remove":
            [number] = rest
            listeners.remove(event, None if number is None else FUNCTIONS[number])
            model = [
                entry
                for entry in model
                if event is not None and (entry[0] != event or (number is not None and entry[1] != number))
            ]
        else:
            taken = listeners.take(event)
            assert [function() for function in taken] == [number for name, number, _ in model if name == event]
            model = [entry for entry in model if entry[0] != event or not entry[2]]
        for name in "abc":
            assert [function() for function in listeners.handlers(name)] == [n for e, n, _ in model if e == name]
        assert set(listeners.event_names) == {name for name, _, _ in model}


def test_one_function_for_once_and_for_ever(peer, socket):
    """The one for once goes, the other one stays."""
    ran = []
    socket.on("e", ran.append)
    socket.once("e", ran.append)
    assert [len(socket.extras.take("e")) for _ in range(3)] == [2, 1, 1]


@pytest.mark.parametrize(("event", "function"), [(1, print), (None, print), (b"e", print), ("e", 1), ("e", "print")])
def test_what_can_not_be_attached(socket, event, function):
    for attach in (socket.on, socket.once):
        with pytest.raises(TypeError):
            attach(event, function)
    assert socket.event_names() == []


@pytest.fixture
def peer():
    return Peer(serve(Application(("/", "/chat"))))


@pytest.fixture
def socket(peer):
    socket = peer.join()
    peer.texts()
    return socket


def test_decorators_return_the_function(socket):
    first, second, third = functions()
    assert socket.on("e")(first) is first
    assert socket.once("e")(second) is second
    assert socket.use(third) is third
    assert socket.on_any(third) is third
    assert socket.on_any_outgoing(third) is third
    assert socket.listeners("e") == [first, second]
    socket.off("e", first)
    assert (socket.listeners("e"), socket.event_names()) == ([second], ["e"])
    socket.off()
    assert (socket.listeners("e"), socket.event_names()) == ([], [])


def test_a_socket_without_functions_holds_nothing_for_them(socket):
    socket.off()
    socket.off("e", print)
    socket.off_any(print)
    socket.off_any_outgoing()
    assert (socket.listeners("e"), socket.event_names(), socket.extras) == ([], [], None)


# --- on_any_outgoing -------------------------------------------------------------------------------------------------


def test_it_sees_emits_and_broadcasts_to_this_socket_and_no_acknowledgement(peer, socket):
    seen = []
    other = Peer(peer.server).join()
    other.on_any_outgoing(lambda event, *args: seen.append(("other", event, *args)))
    socket.on_any_outgoing(lambda event, *args: seen.append((event, *args)))
    peer.server.listener.events["e"] = lambda socket, args: "acknowledged"
    socket.emit("emit", 1, b"x")
    socket.emit("ask", callback=print)
    socket.volatile.emit("volatile")
    peer.server.to("/", socket.id).emit("broadcast", [2])
    peer.server.to("/", "elsewhere").emit("nobody")
    peer.push('27["e"]')
    assert peer.texts()[-1] == '37["acknowledged"]'
    assert seen == [("emit", 1, b"x"), ("ask",), ("volatile",), ("broadcast", [2])]


def test_order_and_removal(socket):
    seen = []
    first, second = (lambda *args: seen.append(1)), (lambda *args: seen.append(2))
    socket.on_any_outgoing(first)
    socket.on_any_outgoing(second, prepend=True)
    socket.emit("e")
    socket.off_any_outgoing(first)
    socket.off_any_outgoing(first)
    socket.emit("e")
    socket.off_any_outgoing()
    socket.emit("e")
    assert seen == [2, 1, 2]


def test_one_that_changes_the_list_or_fails_stops_nobody(peer, socket, caplog):
    seen = []

    @socket.on_any_outgoing
    def unruly(event, *args):
        seen.append("unruly")
        socket.off_any_outgoing(unruly)
        socket.on_any_outgoing(lambda *args: seen.append("new"), prepend=True)
        raise RuntimeError("on purpose")

    socket.on_any_outgoing(lambda *args: seen.append("last"))
    socket.emit("e")
    assert seen == ["unruly", "last"]
    socket.emit("e")
    assert seen[2:] == ["new", "last"]
    assert peer.texts() == ['2["e"]'] * 2
    assert [record.message for record in caplog.records] == ["an on_any_outgoing function failed"]


@pytest.mark.parametrize("end", ["off", "leaves", "disconnected", "closed", "refused", "recovered"])
def test_how_many_sockets_are_watched_is_never_wrong(end):
    """Each counts once, and no more when it has gone: else every emit would pay, or nobody would be told."""
    application = Application()
    server = serve(application, connection_state_recovery=True, always_connect=True)
    staying = Peer(server).join()
    staying.on_any_outgoing(print)
    if end == "refused":

        def connect(socket, auth):
            socket.on_any_outgoing(print)
            raise RuntimeError("on purpose")

        application.connects["/"] = connect
        peer = Peer(server)
        peer.push("0")
    else:
        peer = Peer(server)
        socket = peer.join()
        for _ in range(3):
            socket.on_any_outgoing(print)
        assert server.of("/").watched == 2
        if end == "off":
            for _ in range(4):
                socket.off_any_outgoing(print)
        elif end == "leaves":
            peer.push("1")
        elif end == "disconnected":
            socket.disconnect()
        else:
            peer.session.close()
        if end == "recovered":
            pid = socket.presence.pid
            again = Peer(server).join(auth=f'{{"pid":"{pid}"}}')
            assert again.recovered
            again.on_any_outgoing(print)
            assert server.of("/").watched == 2
            again.disconnect()
        for _ in range(3):
            socket.off_any_outgoing()
            if end != "off":
                socket.on_any_outgoing(print)
    assert server.of("/").watched == 1
    staying.disconnect()
    assert server.of("/").watched == 0
