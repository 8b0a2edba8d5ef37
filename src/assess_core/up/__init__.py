"""`assess up`: everything together, until it is stopped."""
