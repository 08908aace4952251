"""Applications the live tests serve, written as a user of Flask-SocketIO writes them."""
