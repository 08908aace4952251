"""Tests of the adapters, a file for each."""
