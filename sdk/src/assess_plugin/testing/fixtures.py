"""pytest fixtures for authors of plugins."""
