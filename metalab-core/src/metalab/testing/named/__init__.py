"""The contracts, asked of installed plugins by name; see ``metalab.testing.pytest_plugin``."""
