"""Releases of `assess-plugin`, by the digests of their wheels: what stands in them is ours, and runs in no worker.

A closure holds `assess-plugin` because pip wants it installed; a worker gets the runtime's own copy (docs/closures.md).
Which release it is depends on when the closure was locked, and says nothing about the plugin. The newest one is built
from `sdk/`, and is known by being the same as the copy of the runtime that looks.
"""

from collections.abc import Mapping

RELEASED: Mapping[str, str] = {
    "0d0a1388abe4f5d61511033b747d0430e57497560b0c4d49d7f2afa22a05d372": "1.0.0",
    "b416e64c0eebf9cd55b80d359425d52e10aaabe70c4054a0ea7968dc1f30ed60": "1.1.0",
    "54092de6ff10d24ef60b23f1886e546fd1c3ed030220c0aba564ab4abeb6b64b": "1.2.0",
}
"""SHA-256 of a wheel in `sdk/releases` -> its version. A released wheel never changes."""
