"""Emits to the clients of all workers from a process that is no server: what cron runs, or a Celery task does.

SOCKETIO_MESSAGE_QUEUE=redis://localhost:6379/0 python examples/scaling/emit_job.py "The night is over" [ROOM]
"""

import os
import sys

from flask_socketio_py import Emitter


def announce(text, room=None):
    with Emitter(os.environ["SOCKETIO_MESSAGE_QUEUE"]) as emitter:
        message = {"text": text, "room": room, "from": {"host": "emit_job.py", "worker": os.getpid()}}
        (emitter.to(f"room:{room}") if room else emitter).emit("said", message)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3 or "SOCKETIO_MESSAGE_QUEUE" not in os.environ:
        sys.exit(__doc__)
    announce(*sys.argv[1:])
