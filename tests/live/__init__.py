"""Live tests: real server processes, real sockets, the official JavaScript client."""
