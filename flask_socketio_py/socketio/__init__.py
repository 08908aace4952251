"""Socket.IO 5: sockets in namespaces, rooms, acknowledgements. Knows nothing of Flask."""
