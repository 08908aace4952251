"""Engine.IO 4: one session over long-polling and/or WebSocket. Knows nothing of Socket.IO or Flask."""
