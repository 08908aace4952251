"""For tools that still look for this file. Everything is said in setup.cfg."""

from setuptools import setup

setup()
