"""The two transports of Engine.IO that WSGI can carry."""
