"""Where everything lies below `status/`, and how one page refers to another: relative, so that a copy works anywhere.

Every link names its `index.html`, because over `file://` a directory is a list of files.
"""

from urllib.parse import quote

from assess_registry.names import ProjectName

STATUS = "status"
PAGE, DATA = "index.html", "index.json"

PROJECTS, NAMES, KINDS, CONTROLS, DEPENDENCIES = "projects", "names", "kinds", "controls", "dependencies"
ATTENTION, SEARCH = "attention", "search"

NODE_MARK = "~"
"""Begins the directory of a list's part, for example `names/~ac`; no name, catalogue or control begins so."""


def project_place(project: ProjectName) -> str:
    """The directory of a project's page, below `status/`."""
    return f"{PROJECTS}/{project}"


def release_place(project: ProjectName, version: str) -> str:
    """The directory of a release's page."""
    return f"{PROJECTS}/{project}/{version}"


def catalogue_place(catalogue: str) -> str:
    """The list of a catalogue's controls, for example of `nist-800-53`."""
    return f"{CONTROLS}/{_name(catalogue.lower())}"


def control_place(control: str) -> str:
    """The list of who covers a control; catalogues disagree about `AC-6` and `ac-6`, and file systems do, too."""
    catalogue, _, name = control.lower().partition(":")
    return f"{CONTROLS}/{_name(catalogue)}/{_name(name)}"


def dependency_place(project: str) -> str:
    """The list of plugins that run with a dependency."""
    return f"{DEPENDENCIES}/{_name(project)}"


def link(origin: str, place: str, name: str = PAGE) -> str:
    """The link from the page in directory `origin` to a file in directory `place`, both below `status/`."""
    path = f"{place}/{name}" if place else name
    return up(origin) + quote(path, safe="/~()")


def file_link(origin: str, path: str) -> str:
    """The link to a file of the registry by its path below the registry's root."""
    return up(origin) + "../" + quote(path, safe="/~()")


def up(origin: str) -> str:
    """From a directory below `status/` to `status/` itself."""
    return "../" * (origin.count("/") + 1 if origin else 0)


def _name(text: str) -> str:
    """The same, which is the name of one directory; manifests were held to that, and this is what it is for."""
    if not text or text.strip(".") == "" or "/" in text or "\0" in text or text.startswith(NODE_MARK):
        raise ValueError(f"{text[:80]!r} is no name of a directory")
    return text
