"""Subjects with labels from a TOML or CSV file, for assessments that select them."""
