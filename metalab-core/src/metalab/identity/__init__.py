"""Identity: what tells one run from another, and one version of the code from another."""
