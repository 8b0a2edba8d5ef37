"""A new registry: its configuration and an index that is empty and valid."""

from pathlib import Path

from assess_registry.config import CONFIG_NAME, NO_REGISTRY, IndexConfig, is_site, load_config
from assess_registry.config.rewrite import require_no_dangling_link
from assess_registry.errors import ConfigError
from assess_registry.files import file_lock
from assess_registry.index.flat import FLAT_ROOT
from assess_registry.index.flat_tree import write_all_flat_pages
from assess_registry.index.root_tree import write_root_pages
from assess_registry.index.tree import Tree

INDEX_LOCK_NAME = ".lock"
LOCK_TIMEOUT_S = 60.0
"""How long one maintainer waits for another; a publish takes well under a second."""


def create_index(root: Path, config: IndexConfig) -> tuple[IndexConfig, tuple[str, ...]]:
    """A registry is at `root`; what was there already is kept, its configuration above all.

    Returns:
        The configuration that holds, the old one if there was one, and the paths written, none if nothing was missing.

    Raises:
        ConfigError: there is a configuration already, and it is wrong; or it is a site, which imports would refuse
            once it is a registry.
        LockTimeoutError: another process keeps changing it.
    """
    if is_site(root):
        raise ConfigError(f"{root}: {NO_REGISTRY}")
    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        tree = Tree(root)
        # Looked for under the lock: of two that create at once, the second finds the first one's file and keeps it.
        require_no_dangling_link(root / CONFIG_NAME)
        if not (root / CONFIG_NAME).exists():
            tree.write(root / CONFIG_NAME, config.text().encode())
        write_root_pages(tree)
        if not (root / FLAT_ROOT).exists():
            write_all_flat_pages(tree, ())
        return load_config(root), tuple(tree.written)
