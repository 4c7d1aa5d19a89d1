"""A store of metalab in one SQLite file; installing it is all it takes."""
