"""Owns PreparedMessage: one packet and its attachments, encoded once for each form, never apart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio import message, payload
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.websocket.frames import BINARY, TEXT, encode_frame

#: (text, attachments, WebSocket frames, polling packets)
CASES = [
    (b"4hi", (), b"\x81\x034hi", b"4hi"),
    (b"2", (), b"\x81\x012", b"2"),
    (b"4" + b"a" * 125, (), b"\x81\x7e\x00\x7e4" + b"a" * 125, b"4" + b"a" * 125),
    (b"451-[]", (b"\x01\x02",), b"\x81\x06451-[]\x82\x02\x01\x02", b"451-[]\x1ebAQI="),
    (b"452-[]", (b"", b"\0"), b"\x81\x06452-[]\x82\x00\x82\x01\x00", b"452-[]\x1eb\x1ebAA=="),
]


@pytest.mark.parametrize(("text", "attachments", "frames", "packets"), CASES)
def test_both_forms(text, attachments, frames, packets):
    prepared = PreparedMessage(text, attachments)
    assert prepared.frames() == frames
    assert prepared.packets() == packets


@pytest.mark.parametrize("form", [PreparedMessage.frames, PreparedMessage.packets])
@pytest.mark.parametrize("attachments", [(), (b"x" * 300, b"")])
def test_each_form_is_made_once(form, attachments):
    prepared = PreparedMessage(b"4" * 200, attachments)
    assert form(prepared) is form(prepared)


def test_the_size_counts_every_byte_that_waits():
    assert PreparedMessage("4é".encode(), (b"ab", b"", b"cde")).size == 3 + 5


def test_a_message_is_worth_compressing_unless_it_says_otherwise():
    assert PreparedMessage(b"4").compress
    assert not PreparedMessage(b"4", compress=False).compress


def test_any_data_becomes_a_message():
    assert message.prepare("h\u00e9\ud800").packets() == b"4h\xc3\xa9?"
    assert message.prepare(b"\1").packets() == b"bAQ=="
    assert message.prepare(b"\1").frames() == b"\x82\x01\x01"
    for data, error in (("a\x1eb", ValueError), (5, TypeError), (None, TypeError), (bytearray(b"x"), TypeError)):
        with pytest.raises(error):
            message.prepare(data)


def test_what_the_server_itself_sends():
    assert (message.CLOSE.text, message.PING.text, message.PONG.text, message.NOOP.text) == (b"1", b"2", b"3", b"6")
    assert message.PROBE_PONG.text == b"3probe"


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])),
    st.lists(st.binary(max_size=300), max_size=10),
)
def test_attachments_follow_their_text_in_order(text, attachments):
    prepared = PreparedMessage(b"4" + text.encode(), tuple(attachments))
    assert list(payload.decode(prepared.packets())) == ["4" + text, *attachments]
    frames = [encode_frame(b"4" + text.encode(), TEXT), *(encode_frame(item, BINARY) for item in attachments)]
    assert prepared.frames() == b"".join(frames)
