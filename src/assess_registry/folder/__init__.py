"""A folder of plugins and the proof that all of it is what trusted publishers signed; read by runtimes, too."""

from assess_registry.folder.directory import GoneError, Kind, OpenDirectory, opened
from assess_registry.folder.read import (
    LOCK_FILE,
    LOCK_SIGNATURE,
    STAGING,
    Candidates,
    FolderPlugin,
    folder_registry,
    open_folder,
    open_plugin,
    projects_of,
)

__all__ = [
    "LOCK_FILE",
    "LOCK_SIGNATURE",
    "STAGING",
    "Candidates",
    "FolderPlugin",
    "GoneError",
    "Kind",
    "OpenDirectory",
    "folder_registry",
    "open_folder",
    "open_plugin",
    "opened",
    "projects_of",
]
