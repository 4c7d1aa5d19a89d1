"""metalab."""
