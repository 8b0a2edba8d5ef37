"""What runs for months while everything changes."""
