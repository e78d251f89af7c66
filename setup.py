"""The packages, which pyproject.toml cannot list by itself: every room, and the weights.

The weights lie beside the package in a clone, and within it, as `unetpred.shipped`, once installed.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["unetpred", "unetpred.*"]), "unetpred.shipped"])
