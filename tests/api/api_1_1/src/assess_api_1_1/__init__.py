"""A plugin in the words of plugin API 1.1: it says what to do about this very file. It is never changed."""
