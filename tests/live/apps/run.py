"""``python -m tests.live.apps.run module:name``: patch the standard library first, then ``socketio.run(app, ...)``.

The smallest program a user would write around ``socketio.run``. ``--no-patch`` leaves the patching out, for the test of
the warning it must give.
"""

import sys

if "--no-patch" not in sys.argv:
    from gevent import monkey

    monkey.patch_all()

import argparse
import importlib


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("app")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certfile")
    parser.add_argument("--keyfile")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--no-patch", action="store_true")
    options = parser.parse_args()

    module, name = options.app.split(":")
    app = getattr(importlib.import_module(module), name)
    tls = {"certfile": options.certfile, "keyfile": options.keyfile} if options.certfile else {}
    app.extensions["socketio"].run(app, host="127.0.0.1", port=options.port, debug=options.debug, **tls)


if __name__ == "__main__":
    main()
