"""Which findings there are to accept: an acceptance with a typing error accepts nothing, and somebody should say so.

Ids of external tools are theirs, and open: `bandit-b603`, `secret-jwt`. What `dependency-` stands before is one of
either. What strict inspection refuses is not among them, for nothing can accept it.
"""

from fnmatch import fnmatchcase

from assess_registry.manifest.reader import nearest

_KNOWN = """
    check-crashed check-incomplete check-without-code closure-file-conflict closure-fits-no-target
    closure-misses-target closure-shadows-plugin compatibility-failed compatibility-malformed
    compatibility-of-another-wheel compatibility-unknown computed-check confusable-name
    dependency-licence-missing dependency-licence-refused dynamic-code entry-point-attribute environment-read
    file-outside-host interpreter-tampering known-vulnerability licence-by-classifier licence-file-missing
    licence-missing licence-refused look-alike-name module-passed-on native-code native-code-in-pure-wheel
    native-interface private-member process-control process-outside-host reserved-name reserved-prefix
    sbom-malformed scratch-file setting-accepts-anything socket-outside-host
    socket-through-shim source-unread unclear-host-call
    undeclared-check undeclared-command undeclared-env undeclared-path undeclared-secret undeclared-socket
    unknown-publisher unlisted-module unused-permission wasm-import wasm-malformed wasm-memory-unbounded
    wasm-start-function wheel-too-large
"""
KNOWN: tuple[str, ...] = tuple(_KNOWN.split())
"""As in docs/audit.md; `check-incomplete` is accepted by the name of its check."""

OPEN = ("bandit-", "secret-")
DEPENDENCY = "dependency-"


def is_declared(finding_id: str) -> bool:
    """Whether a check may make findings of this id: it stands here, or is of a family that does."""
    rest = finding_id.removeprefix(DEPENDENCY)
    return finding_id in KNOWN or rest in KNOWN or rest.startswith(OPEN)


def unknown_finding(pattern: str) -> str:
    """Why no finding can ever be meant by this id or family, with the nearest one; empty where one can."""
    rest = pattern.removeprefix(DEPENDENCY)
    if (
        rest == "*"
        or rest.startswith(OPEN)
        or any(fnmatchcase(known, each) for known in KNOWN for each in (pattern, rest))
    ):
        return ""
    if pattern.endswith("*"):
        return f"no finding has an id like {pattern!r}; docs/audit.md lists them"
    prefix = pattern[: len(pattern) - len(rest)]
    return f"no finding {pattern!r}; {nearest(pattern, [prefix + known for known in KNOWN])}"
