"""Programs that a benchmark starts: the measured plugin, and the peers' other ends."""
