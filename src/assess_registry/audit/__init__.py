"""Would we publish this? A wheel in, a verdict with its reasons out; nothing of the wheel is ever imported."""
