"""Surroundings: what a launch was made in, gathered once: checkout, packages, machine, settings."""

from __future__ import annotations

from metalab.surroundings.checkout import Checkout
from metalab.surroundings.machine import describe_machine
from metalab.surroundings.masking import masked_words
from metalab.surroundings.packages import imported_libraries, installed_packages
from metalab.surroundings.variables import telling_variables

__all__ = [
    "Checkout",
    "describe_machine",
    "imported_libraries",
    "installed_packages",
    "masked_words",
    "telling_variables",
]
