"""From what serves to what is recorded."""
