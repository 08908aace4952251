"""What locust loads: every scenario by its name. ``scenarios.py`` has them.

locust -f loadtests/locustfile.py --host http://127.0.0.1:5000 ChatRooms
"""

from loadtests.scenarios import (
    BroadcastStorm,
    ChatRooms,
    Cluster,
    ConnectStorm,
    MassReconnect,
    MixedTransports,
    PollingOnly,
    RequestResponse,
    SlowReaders,
)

__all__ = [
    "BroadcastStorm",
    "ChatRooms",
    "Cluster",
    "ConnectStorm",
    "MassReconnect",
    "MixedTransports",
    "PollingOnly",
    "RequestResponse",
    "SlowReaders",
]
