"""What the files and commands of a Linux host mean. Text in, values out; no host anywhere here."""
