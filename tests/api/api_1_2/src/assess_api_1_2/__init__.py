"""A plugin in the words of plugin API 1.2: it connects, and knows a secret. It is never changed."""
