"""Pages, pure: the same model gives the same bytes."""
