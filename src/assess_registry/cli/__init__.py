"""Commands: argv in, exit code out."""
