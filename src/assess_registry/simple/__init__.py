"""What whoever has nothing but the publishers' keys can do with a registry: look, install into a folder, verify.

No TUF metadata is read here: signatures say who made a plugin, and neither that reviewers approved it nor that there is
nothing newer. A runtime that follows a registry has `assess_registry.client` for that.
"""

from assess_registry.simple.folder import FolderPlugin, folder_registry, open_folder, projects_of
from assess_registry.simple.index import RegistryIndex, find_entry, load_index
from assess_registry.simple.install import InstallReport, install, place_url
from assess_registry.simple.listing import ListedWheel, list_folder
from assess_registry.simple.pages import RegistryEntry
from assess_registry.simple.verify import VerifyReport, verify, verify_folder

__all__ = [
    "FolderPlugin",
    "InstallReport",
    "ListedWheel",
    "RegistryEntry",
    "RegistryIndex",
    "VerifyReport",
    "find_entry",
    "folder_registry",
    "install",
    "list_folder",
    "load_index",
    "open_folder",
    "place_url",
    "projects_of",
    "verify",
    "verify_folder",
]
