"""Tests of the websocket package, a file for each of its modules."""
