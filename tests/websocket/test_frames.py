"""Owns the frame codec: each frame's bytes, close frames and codes, unmasking with and without the C function."""

import importlib.util
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket import frames
from flask_socketio_py.websocket.frames import CloseCode, encode_close, encode_frame, unmask, unmask_slowly

from .client_frames import FRAMES, KEY, NAMES, Frame, unmasked, xor

UNMASKERS = pytest.mark.parametrize("unmask", [unmask, unmask_slowly], ids=["chosen", "slow"])
#: Codes that may come over the wire, and their neighbours that may not (RFC 6455 7.4, and IANA's registry).
VALID = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
INVALID = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("frame", FRAMES, ids=NAMES)
def test_a_frame_is_its_head_and_its_payload(frame: Frame):
    assert encode_frame(frame.payload, frame.opcode) == frame.head + frame.payload


def test_text_is_what_is_sent_by_default():
    assert encode_frame(b"a") == encode_frame(b"a", frames.TEXT)


@pytest.mark.parametrize("size", [0, 3, 125, 126, 65535, 65536])
@pytest.mark.parametrize("opcode", [frames.CONTINUATION, frames.TEXT, frames.BINARY])
def test_the_first_bits_of_a_frame(opcode, size):
    payload = b"a" * size
    whole = encode_frame(payload, opcode)
    assert whole[0] == 0x80 | opcode
    assert encode_frame(payload, opcode, fin=False) == bytes([opcode]) + whole[1:]
    assert encode_frame(payload, opcode, rsv1=True) == bytes([0xC0 | opcode]) + whole[1:]
    assert encode_frame(payload, opcode, fin=False, rsv1=True) == bytes([0x40 | opcode]) + whole[1:]


@pytest.mark.parametrize("code", [CloseCode.NORMAL, 1000, 4999])
def test_a_close_frame_holds_code_and_reason(code):
    assert encode_close(code) == unmasked(8, int(code).to_bytes(2, "big"))
    assert encode_close(code, "tschüß") == unmasked(8, int(code).to_bytes(2, "big") + "tschüß".encode())


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("a" * 123, "a" * 123),
        ("a" * 124, "a" * 123),
        ("é" * 62, "é" * 61),
        ("a" + "é" * 61, "a" + "é" * 61),
        ("a" + "€" * 41, "a" + "€" * 40),
        ("😀" * 1000, "😀" * 30),
        ("\ud800", "?"),
    ],
)
def test_a_reason_is_cut_at_a_character(reason, kept):
    assert encode_close(1000, reason) == unmasked(8, b"\x03\xe8" + kept.encode())


@given(st.integers(0, 65535), st.text())
def test_a_close_frame_is_always_a_control_frame_in_utf8(code, reason):
    frame = encode_close(code, reason)
    assert len(frame) - 2 == frame[1] <= 125
    assert reason.startswith(frame[4:].decode())


def test_which_codes_a_peer_may_send():
    assert [code for code in VALID + INVALID if frames.valid_close_code(code)] == VALID


def test_the_codes_by_name_may_be_sent_except_the_one_that_says_there_was_none():
    assert [code for code in CloseCode if not frames.valid_close_code(code)] == [CloseCode.NO_STATUS]


@UNMASKERS
@pytest.mark.parametrize("size", [*range(18), 125, 126, 1000, 65537])
def test_unmasking_is_the_specifications_xor(unmask, size):
    data = bytes(index * 7 % 256 for index in range(size))
    expected = xor(data, KEY)
    assert unmask(data, KEY) == expected
    assert type(unmask(data, KEY)) is bytes
    assert unmask(memoryview(b"ab" + data)[2:], KEY) == expected


@UNMASKERS
@given(data=st.binary(max_size=300), key=st.binary(min_size=4, max_size=4))
def test_unmasking_twice_is_no_change(unmask, data, key):
    assert unmask(unmask(data, key), key) == data


def test_without_the_c_function_the_slow_one_serves(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)  # makes the import fail
    spec = importlib.util.spec_from_file_location("frames_without_c", frames.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.unmask is module.unmask_slowly


def test_with_the_c_function_it_serves():
    speedups = pytest.importorskip("websockets.speedups")
    assert unmask is speedups.apply_mask
