"""The conformance kit: classes of tests that a plugin's author inherits from."""
