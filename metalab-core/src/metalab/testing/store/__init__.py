"""The store's part of the conformance kit; ``metalab.testing.StoreContract`` is its name."""
