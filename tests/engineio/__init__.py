"""Tests of the engineio package, a file for each of its modules; what they share with other folders is in contract/."""
