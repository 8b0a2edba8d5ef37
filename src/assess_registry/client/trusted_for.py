"""Whose signature counts today over what was installed once, without asking the registry.

keys = trusted_for("demo-plugin", "1.0.0", "demo_plugin-1.0.0-py3-none-any.whl", registry=registry)
"""

from assess_registry.client.registry import Registry
from assess_registry.client.standing import find_listed, read_standing
from assess_registry.keys import TrustedKeys
from assess_registry.names import ProjectName


def trusted_for(project: ProjectName, version: str, filename: str, *, registry: Registry) -> TrustedKeys:
    """The keys of which one must have signed this wheel and its lock, by what is known of the registry now.

    By the publishers' keys alone these are all that are trusted. By the registry's word it is the one key that the
    signed page names, for as long as neither it nor the wheel is revoked.

    Raises:
        NotPublishedError: the registry's word knows no such project.
        TrustError: it is revoked, its publisher is not, or the word is too old; steps as those of `verify`.
    """
    if not registry.approved:
        return registry.trusted
    standing = read_standing(project, registry.known_word(), registry.deadline(), url=registry.base.url)
    return find_listed(standing, version=version, filename=filename).keys
