"""What pip sees: pages rendered from the published files, and the tree they are written to."""
