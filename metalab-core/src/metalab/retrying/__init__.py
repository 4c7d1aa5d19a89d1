"""Retrying: stored runs that have no success are chosen, and their experiment is made again."""
