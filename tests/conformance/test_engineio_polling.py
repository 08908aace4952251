"""Engine.IO 4, "HTTP long-polling": payloads, hanging polls, overlaps, limits."""

from __future__ import annotations

from .launch import Server
from .raw import SEPARATOR, Polling, wait_until
from .test_engineio_errors import BAD_REQUEST, UNKNOWN_SID, judge

LIMIT = 100_000


def join(session: Polling) -> None:
    session.send("40")
    assert session.receive().startswith('40{"sid":"')
    assert session.receive() == '42["auth",{}]'


def test_a_poll_hangs_until_there_is_a_packet(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(0.3)
        session.send("40")
        assert session.finish_poll().text.startswith('40{"sid":"')


def test_packets_that_wait_leave_in_one_payload_joined_by_the_record_separator(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send('42["burst",3]')
        assert session.poll().text == '42["burst",0]\x1e42["burst",1]\x1e42["burst",2]'


def test_a_payload_of_several_packets_is_handled_whole_and_in_order(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send(*[f'42["message",{number}]' for number in range(100)])
        assert [session.receive() for _ in range(100)] == [f'42["message-back",{number}]' for number in range(100)]


def test_binary_packets_are_b_and_base64_both_ways(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send('451-["message",{"_placeholder":true,"num":0}]', "bAQIDBA==")
        assert session.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
        assert session.receive() == "bAQIDBA=="


def test_payloads_are_utf8_and_their_length_counts_bytes(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.send('42["message","h\u00e9llo \u20ac \U0001f600"]')
        response = session.poll()
        assert response.text == '42["message-back","h\u00e9llo \u20ac \U0001f600"]'
        assert response.header("content-length") == str(len(response.body))


def test_any_content_type_but_octet_stream_is_text(server: Server) -> None:
    for content_type in ("text/plain", "application/json", "application/x-www-form-urlencoded", "x/y; charset=latin-1"):
        with server.open_polling() as session:
            response = session.post("40", [("Content-Type", content_type)])
            assert (response.status, response.body) == (200, b"ok")
            assert session.receive().startswith('40{"sid":"')


def test_a_post_without_a_content_type_is_text(server: Server) -> None:
    with server.open_polling() as session:
        assert session.post("40", [("X-Nothing", "1")]).body == b"ok"
        assert session.receive().startswith('40{"sid":"')


def test_an_octet_stream_post_is_refused_and_closes_the_session(server: Server) -> None:
    with server.open_polling() as session:
        assert session.post(b"40", [("Content-Type", "application/octet-stream")]).status == 400
        assert judge(server.request("GET", session.url)) == UNKNOWN_SID


def test_a_chunked_post_is_read(server: Server) -> None:
    with server.open_polling() as session:
        response = session.post(b"1\r\n4\r\n1\r\n0\r\n0\r\n\r\n", [("Transfer-Encoding", "chunked")])
        assert (response.status, response.body) == (200, b"ok")
        assert session.receive().startswith('40{"sid":"')


def test_a_second_poll_ends_the_first_with_a_close_packet_and_the_session(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(0.2)
        assert server.request("GET", session.url).status == 400
        first = session.finish_poll()
        assert (first.status, first.text) == (200, "1")
        assert judge(server.request("GET", session.url)) == UNKNOWN_SID


def test_a_second_post_while_one_is_read_is_refused_and_closes_the_session(server: Server) -> None:
    with server.open_polling() as session:
        session.poster.send_request("POST", session.url, [("Content-Length", "5")], b"42")
        # The server has to have begun with the first before the second arrives.
        assert not session.poster.has_input(0.3)
        assert server.request("POST", session.url, body=b"40").status == 400
        assert judge(server.request("GET", session.url)) == UNKNOWN_SID


def test_a_poll_whose_client_went_away_closes_the_session(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        session.start_poll()
        assert not session.getter.has_input(0.2)
        session.getter.close()
        wait_until(lambda: server.request("POST", session.url, body=b"6").status == 400, "the session is closed")


def test_a_poll_that_was_reset_closes_the_session(server: Server) -> None:
    with server.open_polling() as session:
        session.start_poll()
        assert not session.getter.has_input(0.2)
        session.getter.reset()
        wait_until(lambda: server.request("POST", session.url, body=b"6").status == 400, "the session is closed")


def test_a_payload_over_the_limit_is_413_and_leaves_the_session_open(server: Server) -> None:
    with server.open_polling() as session:
        oversize = '42["message","' + "x" * LIMIT + '"]'
        assert server.request("POST", session.url, body=oversize).status == 413
        join(session)


def test_a_chunked_payload_over_the_limit_is_413_too(server: Server) -> None:
    with server.open_polling() as session, server.connect() as connection:
        connection.send_request("POST", session.url, [("Transfer-Encoding", "chunked")])
        for _ in range(LIMIT // 10_000 + 1):
            connection.send(b"2710\r\n" + b"4" * 10_000 + b"\r\n")
        assert connection.read_response("POST").status == 413
        join(session)


def test_a_payload_of_exactly_the_limit_is_served(server: Server) -> None:
    with server.open_polling() as session:
        join(session)
        wrapping = len('42["message",""]')
        session.send('42["message","' + "x" * (LIMIT - wrapping) + '"]')
        assert session.receive() == '42["message-back","' + "x" * (LIMIT - wrapping) + '"]'


def test_the_limit_counts_bytes_of_utf8(server: Server) -> None:
    with server.open_polling() as session:
        assert server.request("POST", session.url, body="\u20ac" * (LIMIT // 3 + 1)).status == 413
        assert session.is_alive()


def test_an_undecodable_packet_closes_the_session(server: Server) -> None:
    for payload in ("abc", "", "8", "6\x1eabc", SEPARATOR, "6\x1e"):
        with server.open_polling() as session:
            session.post(payload)
            assert judge(server.request("GET", session.url)) == UNKNOWN_SID, payload


def test_requests_with_a_sid_after_the_close_are_answered_with_code_1(server: Server) -> None:
    with server.open_polling() as session:
        session.send("1")
        assert judge(session.poll()) == UNKNOWN_SID
        assert judge(session.post("40")) == UNKNOWN_SID


def test_both_kinds_of_request_use_the_same_path_and_sid(server: Server) -> None:
    with server.open_polling() as one, server.open_polling() as two:
        join(one)
        join(two)
        one.send('42["message","one"]')
        two.send('42["message","two"]')
        assert (one.receive(), two.receive()) == ('42["message-back","one"]', '42["message-back","two"]')


def test_a_bad_request_code_is_json(server: Server) -> None:
    with server.open_websocket() as websocket:
        assert judge(server.request("GET", server.url(sid=websocket.sid))) == BAD_REQUEST
