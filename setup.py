"""All metadata is in setup.cfg; this file only starts setuptools."""

from setuptools import setup

setup()
