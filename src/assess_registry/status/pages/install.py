"""How to get a release, from the way that believes most signatures to the one that believes fewest."""

from assess_registry.status.markup import Html, Node, said, said_lines, tag
from assess_registry.status.values import House, ReleaseView


def install_section(house: House, view: ReleaseView) -> Html:
    """Commands to copy; for a release that clients refuse, only that they do."""
    title = tag("h2", "How to install", id="install")
    if view.standing.is_refused:
        return tag("section", title, tag("p", "Clients refuse this release, so there is no way to install it."))
    project, version = view.project, view.release.version
    url = house.base_url or "URL-OF-THIS-REGISTRY/"
    development = (
        "development = true        # one person holds all keys of this registry\n" if house.development else ""
    )
    settings = (
        f'[registry]\nurl = "{url.rstrip("/")}"\nroot = "1.root.json"\n{development}\n'
        f'[[plugins]]\nname = "{project}"\nversion = "=={version}"\n'
    )
    return tag(
        "section",
        title,
        tag(
            "p",
            "In a runtime, in ",
            tag("code", "assess.toml"),
            "; then ",
            tag("code", "assess sync"),
            ". It verifies the registry's word, the approval, the publisher's signature and everything the plugin runs "
            "with. Get ",
            tag("code", "1.root.json"),
            " from whoever runs the registry, not from the registry.",
        ),
        tag("pre", said_lines(settings)),
        _installers(url, project, version),
    )


def _installers(url: str, project: str, version: str) -> list[Node]:
    return [
        tag(
            "p",
            "With pip or uv, into a fresh virtualenv and from this index alone. They compare digests with the index's "
            "pages and nothing else; afterwards ",
            tag("code", "assess plugins verify ENV"),
            " says whether it is what was approved.",
        ),
        tag("pre", tag("code", said(f"pip install --index-url {url}simple/ {project}=={version}"))),
    ]
