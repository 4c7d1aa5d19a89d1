"""The earlier layout of stores, a JSON file a run: it is read, to be imported, never written."""
