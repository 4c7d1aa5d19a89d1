"""A store in a directory: append-only segments, folded on read."""
