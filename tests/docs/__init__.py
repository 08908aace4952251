"""Tests of the documentation: what it shows runs, what it names exists, what exists is named."""
