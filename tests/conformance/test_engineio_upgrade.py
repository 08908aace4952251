"""Engine.IO 4, "Upgrade": from polling to WebSocket, and every way in which it may go wrong."""

from __future__ import annotations

import pytest

from .conftest import Serve
from .launch import FOREIGN, Server
from .raw import Closed, Polling, WebSocket, wait_until
from .test_engineio_errors import BAD_REQUEST, judge
from .test_engineio_polling import join


def probe(server: Server, session: Polling) -> WebSocket:
    websocket = server.open_websocket(session.sid)
    websocket.send("2probe")
    assert websocket.receive() == "3probe"
    return websocket


def upgrade(server: Server, session: Polling) -> WebSocket:
    websocket = probe(server, session)
    websocket.send("5")
    return websocket


def test_a_probe_is_answered_and_the_pending_poll_released_with_a_noop(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        with probe(server, session):
            response = session.finish_poll()
            assert (response.status, response.text) == (200, "6")


def test_a_poll_that_arrives_while_probing_is_released_too(server: Server) -> None:
    with server.open_polling() as session, probe(server, session):
        for _ in range(2):
            assert session.poll().text == "6"


def test_after_the_upgrade_packets_flow_over_the_websocket(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        with upgrade(server, session) as websocket:
            websocket.send('42["message","over websocket"]')
            assert websocket.receive() == '42["message-back","over websocket"]'


def test_packets_buffered_during_the_upgrade_are_flushed_in_order_behind_it(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        with probe(server, session) as websocket:
            session.send('42["burst",5]')
            websocket.send("5")
            websocket.send('42["burst",1]')
            expected = [f'42["burst",{number}]' for number in (0, 1, 2, 3, 4, 0)]
            assert [websocket.receive() for _ in expected] == expected


def test_packets_may_be_pushed_and_polled_while_probing(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        with probe(server, session) as websocket:
            session.send('42["message","meanwhile"]')
            packets = [session.receive()]
            while packets[-1] == "6":
                packets.append(session.receive())
            assert packets[-1] == '42["message-back","meanwhile"]'
            websocket.send("5")
            websocket.send('42["message","then"]')
            assert websocket.receive() == '42["message-back","then"]'


def test_nothing_of_the_upgrade_itself_is_echoed_on_the_websocket(server: Server) -> None:
    with server.open_polling() as session, upgrade(server, session) as websocket:
        assert not websocket.connection.has_input(0.3)


def test_polling_on_an_upgraded_session_is_a_bad_request(server: Server) -> None:
    with server.open_polling() as session, upgrade(server, session) as websocket:
        assert websocket.is_alive()
        assert judge(server.request("GET", session.url)) == BAD_REQUEST
        assert judge(server.request("POST", session.url, body=b"40")) == BAD_REQUEST
        assert websocket.is_alive()


def test_a_poll_that_hangs_through_the_upgrade_is_answered(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(0.2)
        with upgrade(server, session) as websocket:
            # A close packet (Node) ends the transport, not the session; honest clients wait for the noop before the 5.
            assert session.finish_poll().text in {"6", "1"}
            assert websocket.is_alive()


def refuses_another(server: Server, sid: str) -> bool:
    response, connection = server.upgrade(server.url(transport="websocket", sid=sid))
    with connection:
        if response.status != 101:
            return response.status == 400
        return WebSocket(connection).receive_close() is not None


def test_a_second_websocket_while_upgrading_is_closed_and_the_first_goes_on(server: Server) -> None:
    with server.open_polling() as session, probe(server, session) as websocket:
        assert refuses_another(server, session.sid)
        websocket.send("5")
        websocket.send("40")
        packet = websocket.receive()
        assert isinstance(packet, str)
        assert packet.startswith('40{"sid":"')


def test_a_second_websocket_after_the_upgrade_is_closed_and_the_first_goes_on(server: Server) -> None:
    with server.open_polling() as session, upgrade(server, session) as websocket:
        assert websocket.is_alive()
        assert refuses_another(server, session.sid)
        assert websocket.is_alive()


def test_a_further_websocket_on_a_session_that_began_as_websocket_does_not_disturb_it(server: Server) -> None:
    with server.open_websocket() as websocket:
        _, connection = server.upgrade(server.url(transport="websocket", sid=websocket.sid))
        assert websocket.is_alive()
        connection.close()
        assert websocket.is_alive()


@pytest.mark.parametrize("packet", ["2", "2prob", "3probe", "40", "6", "1", "abc", b"\x01"])
def test_anything_else_as_a_probe_closes_the_websocket_and_polling_goes_on(server: Server, packet: str | bytes) -> None:
    with server.open_polling() as session:
        with server.open_websocket(session.sid) as websocket:
            websocket.send(packet)
            assert websocket.receive_close() is not None
        join(session)


def test_a_probing_websocket_that_goes_away_leaves_polling_untouched(server: Server) -> None:
    with server.open_polling() as session:
        probe(server, session).connection.reset()
        join(session)
        with wait_until(lambda: try_upgrade(server, session), "another upgrade is let in") as websocket:
            assert websocket.is_alive()


def try_upgrade(server: Server, session: Polling) -> WebSocket | None:
    try:
        return upgrade(server, session)
    except (Closed, AssertionError):
        return None


def test_an_upgrade_that_does_not_finish_in_time_is_closed_and_polling_goes_on(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        with probe(server, session) as websocket:
            assert websocket.receive_close() is not None
        session.send('42["message","still here"]')
        packets = [session.receive()]
        while packets[-1] == "6":
            packets.append(session.receive())
        assert packets[-1] == '42["message-back","still here"]'


def test_a_websocket_that_never_probes_is_closed_in_time_too(server: Server) -> None:
    with server.open_polling() as session:
        with server.open_websocket(session.sid) as websocket:
            assert websocket.receive_close() is not None
        join(session)


def test_a_closed_session_closes_its_probing_websocket(server: Server) -> None:
    with server.open_polling() as session, probe(server, session) as websocket:
        session.send("1")
        websocket.receive_close()
        assert websocket.connection.read_to_end() == b""


def test_the_heartbeat_goes_on_after_the_upgrade(patient_server: Server) -> None:
    with patient_server.open_polling() as session, upgrade(patient_server, session) as websocket:
        for _ in range(2):
            assert websocket.receive_frame() == (1, b"2")
            websocket.send("3")


@pytest.mark.skipif(bool(FOREIGN), reason="Node lets them through")
def test_probes_are_refused_where_upgrades_are_not_allowed(serve: Serve) -> None:
    server = serve(allow_upgrades=False)
    with server.open_polling() as session:
        assert refuses_another(server, session.sid)
        join(session)
