"""A plugin that ends its process while it is imported."""

import os

print("not today")
os._exit(5)
