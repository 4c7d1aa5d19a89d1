"""The conformance kit: what every store, executor, serializer and param source has to do."""
