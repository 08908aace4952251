"""Hostile input: what no honest client sends. After each test the same process serves and nothing is left over."""
