"""`status/`: a catalogue of the registry for people, in plain pages that need no script and have no authority.

    projects = concerned(tree, targets, repository=repository)
    announce(tree.root, projects)
    repository.commit(targets, ...)
    pages_after(tree, config, control, repository=repository, targets=targets).write(projects)

Every text in it that comes from a plugin is hostile until `markup` has escaped it. It is made from the signed
catalogue, and from published files only after each was held to the digest that the catalogue has of it.
"""

from assess_registry.status.follow import concerned, pages_after, pages_of
from assess_registry.status.marks import announce
from assess_registry.status.tree import Pages, remove_strays
from assess_registry.status.values import House

__all__ = ["House", "Pages", "announce", "concerned", "pages_after", "pages_of", "remove_strays"]
