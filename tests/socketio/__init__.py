"""Tests of the socketio package, a file for each of its modules; what they share with other folders is in contract/."""
