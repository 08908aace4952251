"""A server and a client in a few lines, on the standard library and the installed package alone.

Owns: the proof that the installed wheel works on this interpreter. Run as a program, it starts itself once more as the
server, talks to it over long-polling and over WebSocket, and checks one event with its acknowledgement on each.
"""

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time

DEADLINE = 60
EVENT = {"text": "smoke \N{FIRE}", "numbers": [1, 2.5, None]}


def serve(port):
    from gevent import monkey

    monkey.patch_all()
    from flask import Flask, request

    from flask_socketio_py import SocketIO

    app = Flask(__name__)
    app.secret_key = "for a smoke test"
    socketio = SocketIO(app)

    @socketio.on("echo")
    def echo(data):
        assert request.sid
        return data

    socketio.run(app, host="127.0.0.1", port=port)


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": "text/plain;charset=UTF-8"} if body else {})
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, (response.status, text)
        return text


def check_echo(receive, send, what):
    """Connects to the main namespace, emits one event and reads the acknowledgement with the same data in it."""
    send("40")
    assert json.loads(receive("40")[2:])["sid"]
    send("427" + json.dumps(["echo", EVENT]))
    assert json.loads(receive("437")[3:]) == [EVENT]
    print(f"  {what}: ok", flush=True)


def poll(port):
    path = "/socket.io/?EIO=4&transport=polling"
    opened = ask(port, "GET", path)
    assert opened[0] == "0", opened
    path += "&sid=" + json.loads(opened[1:])["sid"]
    waiting = []

    def receive(prefix):
        while True:
            if not waiting:
                waiting.extend(ask(port, "GET", path).split("\x1e"))
            packet = waiting.pop(0)
            if packet == "2":
                send("3")
            elif packet.startswith(prefix):
                return packet

    def send(packet):
        assert ask(port, "POST", path, packet.encode()) == "ok"

    check_echo(receive, send, "long-polling")


def talk(port):
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as sock, sock.makefile("rb") as stream:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket"]
        lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        sock.sendall("\r\n".join(lines).encode())
        status = stream.readline()
        assert status.startswith(b"HTTP/1.1 101 "), status
        while stream.readline() != b"\r\n":
            pass

        def receive(prefix):
            while True:
                first, length = stream.read(2)
                if length == 126:
                    (length,) = struct.unpack("!H", stream.read(2))
                packet = stream.read(length).decode()
                assert first == 0x81, (first, packet)
                if packet == "2":
                    send("3")
                elif packet.startswith(prefix):
                    return packet

        def send(packet):
            data, mask = packet.encode(), os.urandom(4)
            assert len(data) < 126
            sock.sendall(bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

        assert receive("0")
        check_echo(receive, send, "WebSocket")


def wait_until_it_answers(port, server):
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
        except ConnectionRefusedError:
            assert server.poll() is None, "the server ended before it answered"
            assert time.monotonic() < deadline, "the server never answered"
            time.sleep(0.05)


def check():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = subprocess.Popen([sys.executable, os.path.abspath(__file__), "serve", str(port)])
    try:
        wait_until_it_answers(port, server)
        poll(port)
        talk(port)
        server.send_signal(signal.SIGTERM)
        server.wait(DEADLINE)
        print("  SIGTERM ends it: ok", flush=True)
    finally:
        server.kill()
        server.wait(DEADLINE)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    else:
        check()
