"""A host for tests of plugins."""
