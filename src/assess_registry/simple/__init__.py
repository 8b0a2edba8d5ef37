"""What whoever has nothing but the publishers' keys can do with a registry: look, install into a folder, verify.

No TUF metadata is read here: signatures say who made a plugin, and neither that reviewers approved it nor that there is
nothing newer. A runtime that follows a registry has `assess_registry.client` for that.
"""

from assess_registry.simple.index import RegistryIndex, find_entry, load_index
from assess_registry.simple.install import InstallReport, install, place_url
from assess_registry.simple.listing import ListedWheel, list_folder
from assess_registry.simple.pages import RegistryEntry
from assess_registry.simple.verify import VerifyReport, verify, verify_folder

__all__ = [
    "InstallReport",
    "ListedWheel",
    "RegistryEntry",
    "RegistryIndex",
    "VerifyReport",
    "find_entry",
    "install",
    "list_folder",
    "load_index",
    "place_url",
    "verify",
    "verify_folder",
]
