"""metalab_postgres."""
