"""The Flask extension: what an application written for Flask-SocketIO sees of it, mostly inside this process."""
