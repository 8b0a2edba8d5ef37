"""A plugin in the words of plugin API 1.0. It is never changed: it is what 1.0 means."""
