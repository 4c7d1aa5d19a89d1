"""A library that a plugin imports before it is needed."""
