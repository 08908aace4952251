"""Engine.IO 3 and Socket.IO 4 over raw sockets, with `allow_eio3`: what a 2.x client sees on the wire, byte by byte."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import Serve
from .launch import Server, ours
from .raw import BINARY, TEXT, Closed, Headers, wait_until
from .revision3 import OldPolling, join_websocket, open_websocket, split, write
from .test_engineio_errors import BAD_REQUEST, UNKNOWN_SID, UNSUPPORTED_VERSION, judge
from .test_socketio_disconnect import CLIENT

OCTETS = [("Content-Type", "application/octet-stream")]
PLACE = '{"_placeholder":true,"num":0}'


@pytest.fixture(scope="module")
def old(serve: Serve) -> Server:
    return serve(allow_eio3=True, cors_allowed_origins="*", upgrade_timeout=0.5, max_http_buffer_size=100_000)


@pytest.fixture(scope="module")
def strict(serve: Serve) -> Server:
    return serve(allow_eio3=True, ping_interval=0.3, ping_timeout=0.2, connect_timeout=30)


# -- letting in ------------------------------------------------------------------------------------------------------


def test_without_the_option_the_revision_is_refused(server: Server) -> None:
    assert judge(server.request("GET", server.url(revision=3))) == UNSUPPORTED_VERSION
    response, connection = server.upgrade(server.url(transport="websocket", revision=3))
    with connection:
        assert response.status == ours(400, node=101)


@pytest.mark.parametrize("revision", ["2", "5", "03", "", "3&EIO=3"])
def test_anything_but_3_and_4_is_refused_with_it_too(old: Server, revision: str) -> None:
    if ours(True, node=False):  # Node takes them all for 3
        assert judge(old.request("GET", old.url(revision=revision))) == UNSUPPORTED_VERSION


def test_clients_of_revision_4_are_served_as_ever(old: Server) -> None:
    with old.open_polling() as session:
        session.send("40")
        assert session.receive().startswith('40{"sid":"')
    with old.open_websocket() as websocket:
        websocket.send("2")
        with pytest.raises(Closed):
            websocket.receive()


def test_the_handshake_of_polling_brings_the_main_namespace_along(old: Server) -> None:
    with OldPolling(old) as session:
        assert session.opening.header("content-type") == "text/plain; charset=UTF-8"
        assert session.handshake["upgrades"] == ["websocket"]
        if ours(True, node=False):
            assert session.backlog == ["40", '42["auth",{}]']
        session.join()


def test_the_handshake_of_websocket_is_followed_by_the_main_namespace(old: Server) -> None:
    with join_websocket(old) as websocket:
        assert websocket.handshake["upgrades"] == []
        assert websocket.is_alive()


@pytest.mark.parametrize("theirs", [3, 4])
def test_a_request_of_another_revision_than_its_session_is_a_bad_request(old: Server, theirs: int) -> None:
    other = 7 - theirs
    opening = old.request("GET", old.url(revision=theirs))
    sid = json.loads(opening.text[opening.text.index("{") :].partition("}")[0] + "}")["sid"]
    for method, body in (("GET", b""), ("POST", b"1:6")):
        assert judge(old.request(method, old.url(revision=other, sid=sid), body=body)) == BAD_REQUEST
    response, connection = old.upgrade(old.url(transport="websocket", revision=other, sid=sid))
    with connection:
        assert response.status == 400
    assert old.request("POST", old.url(revision=theirs, sid=sid), body=b"6" if theirs == 4 else b"1:6").status == 200


# -- polling ---------------------------------------------------------------------------------------------------------


def test_lengths_count_utf_16_code_units_both_ways(old: Server) -> None:
    with OldPolling(old).join() as session:
        body = '25:42["message","é€😀","😀"]1:6'.encode()
        assert session.post(body).body == b"ok"
        assert session.poll().body == '30:42["message-back","é€😀","😀"]'.encode()


def test_binary_data_travels_in_base64_or_in_a_binary_body_and_comes_back_in_one(old: Server) -> None:
    with OldPolling(old).join() as session:
        header = f'451-["message",{PLACE}]'
        answer = f'451-["message-back",{PLACE}]'
        session.send(header, "b4AQL/")
        response = session.poll()
        assert response.header("content-type") == "application/octet-stream"
        assert split(response.body) == [answer, b"\x04\x01\x02\xff"]
        size = bytes(map(int, str(len(header))))
        body = b"\0" + size + b"\xff" + header.encode() + b"\1\4\xff\4\xff\0\1"
        assert session.post(body, OCTETS).body == b"ok"
        assert split(session.poll().body) == [answer, b"\x04\xff\0\1"]
        session.send('42["message","text"]')
        assert session.poll().header("content-type") == "text/plain; charset=UTF-8"


def test_a_client_that_takes_text_only_gets_base64(old: Server) -> None:
    with OldPolling(old, "&b64=1").join() as session:
        session.send(f'451-["message",{PLACE}]', "b4AQL/")
        response = session.poll()
        assert response.header("content-type") == "text/plain; charset=UTF-8"
        assert split(response.body) == [f'451-["message-back",{PLACE}]', "b4AQL/"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", ()),
        (b"4hello", ()),
        (b"99:4", ()),
        (b"1:7", ()),
        (b"9" * 90_000, ()),
        ("2:4😀".encode(), ()),
        (b"\x00\x01\xff6", ()),
        (b"1:6", OCTETS),
        (b"\x00\x09\xff6", OCTETS),
        (b"\x00" + b"\x09" * 90_000, OCTETS),
        (b"0:" * 20_000, ()),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_a_body_that_is_no_payload_ends_the_session(old: Server, body: bytes, headers: Headers) -> None:
    if not ours(True, node=False):
        pytest.skip("Node forgives some of these")
    with OldPolling(old).join() as session:
        assert session.post(body, headers).status == 200
        assert judge(session.poll()) == UNKNOWN_SID
    wait_until(lambda: old.stats()["reasons"].get(session.sid) == "parse error", "the reason is known")


def test_a_client_that_leaves_is_forgotten(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.send("1")
        assert judge(session.poll()) == UNKNOWN_SID


def test_a_client_that_is_sent_away_is_told_so(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.send("40/custom,", "41")
        session.send("41/nowhere,")
        while (packet := session.receive()) != "1":
            assert packet in ("6", "40/custom,", '42/custom,["auth",{}]')


# -- websocket -------------------------------------------------------------------------------------------------------


def test_binary_frames_have_their_type_in_front(old: Server) -> None:
    with join_websocket(old) as websocket:
        websocket.send(f'451-["message",{PLACE}]')
        websocket.send(b"\x04\x01\x02")
        assert websocket.receive_frame() == (TEXT, f'451-["message-back",{PLACE}]'.encode())
        assert websocket.receive_frame() == (BINARY, b"\x04\x01\x02")


def test_base64_is_understood_in_a_frame_and_sent_to_who_takes_text_only(old: Server) -> None:
    with open_websocket(old, more="&b64=1") as websocket:
        assert [websocket.receive(), websocket.receive()] == ["40", '42["auth",{}]']
        websocket.send(f'451-["message",{PLACE}]')
        websocket.send("b4AQI=")
        assert websocket.receive_frame() == (TEXT, f'451-["message-back",{PLACE}]'.encode())
        assert websocket.receive_frame() == (TEXT, b"b4AQI=")


@pytest.mark.parametrize("message", ["7", "", "b", "b2", b"", b"4", b"\x02"])
def test_a_message_that_is_no_packet_closes_the_connection(old: Server, message: str | bytes) -> None:
    if not ours(True, node=False):
        pytest.skip("Node ignores some of these")
    with join_websocket(old) as websocket:
        websocket.send(message)
        assert websocket.receive_close() is not None


# -- heartbeat -------------------------------------------------------------------------------------------------------


def test_a_ping_is_answered(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.send("2")
        assert session.poll().body == b"1:3"
    with join_websocket(old) as websocket:
        websocket.send("2")
        assert websocket.receive() == "3"


def test_a_pong_is_in_the_wrong_direction(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.post(write("3"))
        assert judge(session.poll()) == UNKNOWN_SID
    with join_websocket(old) as websocket:
        websocket.send("3")
        websocket.receive_close(alive=False)
    for sid in (session.sid, websocket.sid):
        wait_until(lambda sid=sid: old.stats()["reasons"].get(sid) == "transport error", "the reason is known")


def test_the_server_never_pings_and_a_client_that_pings_stays(strict: Server) -> None:
    with join_websocket(strict) as websocket:
        for _ in range(8):
            time.sleep(0.15)
            websocket.send("2")
            assert websocket.receive_frame() == (TEXT, b"3")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_client_that_does_not_ping_is_closed(strict: Server, transport: str) -> None:
    started = time.monotonic()
    if transport == "polling":
        with OldPolling(strict).join() as session:
            sid: str | None = session.sid
            # The GET that hangs meanwhile ends with a close packet, the next is refused.
            response = session.poll()
            assert (response.status, response.body) in {(200, b"1:1"), (400, response.body)}, response
    else:
        with join_websocket(strict) as websocket:
            sid = websocket.sid
            websocket.receive_close(alive=False)
    assert time.monotonic() - started >= 0.5 - 0.05  # a lower bound holds on the noisiest machine
    wait_until(lambda: strict.stats()["reasons"].get(sid) == "ping timeout", "the reason is known")


# -- upgrade ---------------------------------------------------------------------------------------------------------


def test_an_upgrade(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.getter.send_request("GET", session.url)
        with open_websocket(old, session.sid) as websocket:
            websocket.send("2probe")
            assert websocket.receive_frame() == (TEXT, b"3probe")
            assert session.getter.read_response().body == b"1:6"
            session.send(f'451-["message",{PLACE}]', "b4AQI=")
            websocket.send("5")
            assert websocket.receive_frame() == (TEXT, f'451-["message-back",{PLACE}]'.encode())
            assert websocket.receive_frame() == (BINARY, b"\x04\x01\x02")
            websocket.send("2")
            assert websocket.receive_frame() == (TEXT, b"3")


# -- Socket.IO 4 -----------------------------------------------------------------------------------------------------


def test_a_namespace_with_a_query(old: Server) -> None:
    with join_websocket(old) as websocket:
        websocket.send("40/custom?token=a%20b&n=1,")
        assert websocket.receive() == "40/custom,"
        assert websocket.receive() == '42/custom,["auth",{"token":"a b","n":"1"}]'
        websocket.send('42/custom,7["message-with-ack",1]')
        assert websocket.receive() == "43/custom,7[1]"
        websocket.send("41/custom,")
        sid = f"/custom#{websocket.sid}"
        wait_until(lambda: old.stats()["reasons"].get(sid) in CLIENT, "the reason is known")


def test_a_refused_namespace_gets_the_data_and_an_unknown_one_the_message(old: Server) -> None:
    with join_websocket(old) as websocket:
        websocket.send("40/custom?refuse=no")
        assert websocket.receive() == '44/custom,{"code":7}'
        if ours(True, node=False):
            websocket.send("40/unknown")
            assert websocket.receive() == '44/unknown,"Invalid namespace"'


def test_the_server_disconnects_a_namespace(old: Server) -> None:
    with join_websocket(old) as websocket:
        websocket.send('42["leave-me"]')
        assert websocket.receive() == "41"


def test_a_second_connect_to_the_main_namespace_closes_the_connection(old: Server) -> None:
    with join_websocket(old) as websocket:
        websocket.send("40")
        assert websocket.receive_close() is not None


def test_a_broadcast_reaches_clients_of_both_revisions_in_the_form_of_each(old: Server) -> None:
    text = f'451-["shout",{PLACE}]'
    with OldPolling(old).join() as polling, join_websocket(old) as websocket, old.open_websocket() as new:
        new.send("40")
        new.receive()
        new.receive()
        new.send(f'451-["shout",{PLACE}]')
        new.send(b"\1\2")
        assert [new.receive(), new.receive()] == [text, b"\1\2"]
        assert [websocket.receive(), websocket.receive()] == [text, b"\4\1\2"]
        assert [polling.receive(), polling.receive()] == [text, b"\4\1\2"]


def test_packets_of_many_messages_in_one_answer_are_all_binary_where_one_is(old: Server) -> None:
    with OldPolling(old).join() as session:
        session.send('42["mixed"]')
        packets = [session.receive() for _ in range(5)]
        assert packets[0] == '42["one",1]'
        assert packets[2:4] == [b"\4\1", b"\4\2"]
        assert packets[4] == '42["three",3]'
