"""Which variables of the environment one file reads, held against those that the manifest names."""

import ast
import json
from collections.abc import Iterable, Iterator

from assess_registry.audit.checks.permissions.kinds import ENVIRONMENT, RULE
from assess_registry.audit.checks.permissions.rules import kind_of
from assess_registry.audit.code import FileCode, Resolver
from assess_registry.audit.values import Finding
from assess_registry.manifest import Permissions

UNDECLARED_ENV = "undeclared-env"

GIVEN_ENV = frozenset(("HOME", "TMPDIR", "USER", "LANG", "TZ"))
"""Variables every worker has."""

MAX_FINDINGS = 20
"""Lines of one file that are named."""

_ENV_PATHS = frozenset(("os.environ", "os.getenv", "os.environb", "os.getenvb"))


def environment(file: FileCode, resolver: Resolver, permissions: Permissions) -> Iterable[Finding]:
    """What is read and not named."""
    known_lines: set[int] = set()
    for name, lines in _env_names(file, resolver):
        known_lines.update(lines)
        if name in GIVEN_ENV or name in permissions.env:
            continue
        for line in lines:
            yield Finding(
                id=UNDECLARED_ENV,
                severity="medium",
                entry=file.path,
                line=line,
                message=f"reads the environment variable {name!r:.200}, which permissions.env does not name",
                advice=f"[permissions] env = [{json.dumps(name, ensure_ascii=False)}]",
                rule="assess: a worker's environment holds what was granted",
            )
    seen: set[int] = set()
    for chain, found in resolver.mentioned.items():
        if any(kind_of(path) is ENVIRONMENT for path, _ in found):
            seen.update(file.mentions[chain].lines)
    for line in sorted(seen - known_lines)[:MAX_FINDINGS]:
        yield Finding(
            id=ENVIRONMENT.id,
            severity=ENVIRONMENT.severity,
            entry=file.path,
            line=line,
            message=f"os.environ: {ENVIRONMENT.what}",
            advice=ENVIRONMENT.advice,
            rule=RULE,
        )


def _env_names(file: FileCode, resolver: Resolver) -> Iterator[tuple[str, list[int]]]:
    for chain, found in resolver.mentioned.items():
        # the first text in brackets is the name: os.environ["A"].split(",") reads A
        step = next((step for step in chain[1:] if step[1:2] in ("'", '"')), "")
        if step and any(path in _ENV_PATHS for path, _ in found):
            yield str(ast.literal_eval(step[1:-1])), file.mentions[chain].lines
