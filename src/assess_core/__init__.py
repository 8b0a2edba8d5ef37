"""The runtime: configuration in, results out."""
