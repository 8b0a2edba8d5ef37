"""`status/`: a catalogue of the registry for people, in plain pages that need no script and have no authority.

    with followed(tree, config, control, repository=repository, targets=targets):
        repository.commit(targets, ...)

Every text in it that comes from a plugin is hostile until `markup` has escaped it. It is made from the signed
catalogue, and from published files only after each was held to the digest that the catalogue has of it.
"""

from assess_registry.status.follow import followed, pages_of
from assess_registry.status.places import STATUS
from assess_registry.status.tree import remove_strays

__all__ = ["STATUS", "followed", "pages_of", "remove_strays"]
