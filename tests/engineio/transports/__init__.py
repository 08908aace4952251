"""Tests of the transports themselves; what both must do alike is in contract/."""
