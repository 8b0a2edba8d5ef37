"""A plugin in the words of plugin API 1.3: it says what it could not find. It is never changed."""
