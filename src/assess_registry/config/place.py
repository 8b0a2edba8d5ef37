"""What a directory is: a registry, in which somebody publishes, or a site, into which bundles are imported."""

from pathlib import Path

CONFIG_NAME = "registry.toml"
"""At the root of a registry."""

KEEPING = ".import"
"""At the root of a site: what it remembers of the registry that its bundles come from."""

NO_REGISTRY = (
    "a site, into which bundles are imported, and no registry: do it at the registry that they come from, export "
    "there, and import the bundle here"
)


def is_site(place: Path) -> bool:
    """Whether bundles are imported there, and nobody publishes."""
    return (place / KEEPING).is_dir() and not (place / CONFIG_NAME).exists()
