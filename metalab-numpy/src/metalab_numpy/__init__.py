"""metalab_numpy."""
