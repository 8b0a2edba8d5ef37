"""Check `permissions`: found in the source before the sandbox refuses it, with the line that would declare it.

Every Python file of the plugin's own wheel is read as syntax. What is imported or called is followed through aliases,
constant `getattr` and the like, and looked up in `rules`; calls of the host with known arguments are held against the
manifest. It is no proof of innocence: code can hide what it does, and the sandbox stands behind this check.
"""

import ast
import json
from collections.abc import Iterable, Iterator

from assess_registry.audit.checks.permissions.host_calls import SEVERITY, Unknown, judge_call
from assess_registry.audit.checks.permissions.rules import (
    DYNAMIC,
    ENVIRONMENT,
    HARMLESS,
    HOST_CALLS,
    INNER_NAMES,
    KINDS,
    MODULES_WITH_MEMBERS,
    PASSED_ON,
    PROCESS,
    RULE,
    SOCKET,
    SOCKET_BY_HAND,
    TAMPERING,
    Kind,
    kind_of,
    known_names,
)
from assess_registry.audit.code import Argument, FileCode, Mention, Resolver, read_code
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Permissions

NAME = "permissions"

UNREAD = "source-unread"
UNDECLARED_ENV = "undeclared-env"

GIVEN_ENV = frozenset(("HOME", "TMPDIR", "USER", "LANG", "TZ"))
"""Variables every worker has."""

MAX_FINDINGS_PER_FILE = 20
"""Of one id in one file; the last one says how many more there are."""

_KNOWN = known_names()
_ENV_PATHS = frozenset(("os.environ", "os.getenv", "os.environb", "os.getenvb"))


def examine(subject: Subject, context: Context) -> Examination:  # noqa: ARG001  the checks' one signature
    """What the plugin's own Python files do, and what of it the manifest does not permit."""
    code = read_code(subject.files)
    permissions = subject.wheel.manifest.permissions if subject.wheel.manifest else Permissions()
    findings: list[Finding] = []
    unjudged = 0
    for file in code.files:
        found, unknown = _examine_file(file, permissions)
        findings += found
        unjudged += unknown
    findings += [
        Finding(
            id=UNREAD,
            severity="medium",
            entry=path,
            message=f"this file was not examined: {why}",
            advice="write it so that this Python can parse it, in statements of at most 1 MiB",
            rule="assess: what cannot be read cannot be approved",
        )
        for path, why in code.unread.items()
    ]
    return Examination(
        check=NAME,
        findings=in_order(findings),
        incomplete=tuple(f"{path} was not examined: {why}" for path, why in sorted(code.unread.items())),
        facts={
            "files": len(code.files),
            "lines": code.lines,
            "host_calls_with_computed_arguments": unjudged,
        },
    )


def _examine_file(file: FileCode, permissions: Permissions) -> tuple[list[Finding], int]:
    resolver = Resolver(file, _KNOWN)
    used: dict[Kind, dict[int, str]] = {}
    counts: dict[Kind, int] = {}
    harmless_only = _harmless_only(file, resolver)
    for kind, what, mention in _uses(file, resolver, harmless_only):
        actual = SOCKET_BY_HAND if kind is SOCKET and permissions.network else kind
        lines = used.setdefault(actual, {})
        counts[actual] = counts.get(actual, 0) + mention.count
        for line in mention.lines:
            # the longest name says most: `socket.create_connection` rather than `socket`
            if len(what) >= len(lines.get(line, "")):
                lines[line] = what
    details = _details(file, resolver)
    findings = [
        Finding(
            id=kind.id,
            severity=kind.severity,
            entry=file.path,
            line=line,
            message=f"{what}: {kind.what}{_more(counts[kind], number, len(lines))}",
            advice=details.get((kind, line), kind.advice),
            rule=RULE,
        )
        for kind, lines in used.items()
        for number, (line, what) in enumerate(sorted(lines.items())[:MAX_FINDINGS_PER_FILE], 1)
    ]
    calls, unjudged = _host_calls(file, resolver, permissions)
    return findings + calls + list(_environment(file, resolver, permissions)), unjudged


def _more(count: int, number: int, lines: int) -> str:
    if number < min(lines, MAX_FINDINGS_PER_FILE) or count <= number:
        return ""
    return f" (and {count - number} more in this file)"


def _uses(file: FileCode, resolver: Resolver, harmless_only: frozenset[str]) -> Iterator[tuple[Kind, str, Mention]]:
    for dotted, mention in file.imports.items():
        path = resolver.imported(dotted)
        kind = kind_of(path)
        if kind and kind is not ENVIRONMENT and path.partition(".")[0] not in harmless_only:
            yield kind, path, mention
    for chain, mention in file.mentions.items():
        if inner := INNER_NAMES.intersection(chain[1:]):
            yield TAMPERING, min(inner), mention
        for path in resolver.paths(chain):
            base, _, last = path.rpartition(".")
            kind = kind_of(path)
            if last == "?" and base in MODULES_WITH_MEMBERS:
                yield DYNAMIC, f"getattr({base}, …)", mention
            elif last == "__dict__" and base in MODULES_WITH_MEMBERS:
                yield DYNAMIC, path, mention
            elif len(chain) == 1 and path in MODULES_WITH_MEMBERS:
                yield PASSED_ON, path, mention
            elif kind and kind is not ENVIRONMENT and path.partition(".")[0] not in harmless_only:
                yield kind, path, mention


def _harmless_only(file: FileCode, resolver: Resolver) -> frozenset[str]:
    """Modules of which a file uses harmless members only, and at least one."""
    found: dict[str, bool] = {}
    used = {path for chain in file.mentions for path in resolver.paths(chain)}
    # `from socket import x` uses x; `import socket` alone uses nothing yet
    used |= {resolver.imported(dotted) for dotted in file.imports if dotted not in KINDS}
    for path in used:
        top = path.partition(".")[0]
        found[top] = found.get(top, True) and path in HARMLESS
    return frozenset(top for top, harmless in found.items() if harmless)


def _details(file: FileCode, resolver: Resolver) -> dict[tuple[Kind, int], str]:
    """The manifest line for a direct use whose arguments are known."""
    found: dict[tuple[Kind, int], str] = {}
    for call, mention in file.calls.items():
        for path in resolver.paths(call.chain):
            kind = kind_of(path)
            arguments = [resolver.value(each) for each in call.arguments]
            if kind is PROCESS and (argv := _argv(path, arguments)):
                line = json.dumps(argv, ensure_ascii=False)
                advice = f"[permissions] commands = [{line}], and host.run({line}) in its place"
            elif kind is SOCKET and (peer := _peer(arguments)):
                advice = f'[permissions] network = ["{peer}"], and host.connect in its place'
            elif kind and kind.id == "file-outside-host" and arguments and (arguments[0].text or "").startswith("/"):
                advice = f"[permissions] read = [{json.dumps(arguments[0].text)}], and host.open in its place"
            else:
                continue
            found.update({(each, line): advice for each in (kind, SOCKET_BY_HAND) for line in mention.lines})
    return found


def _argv(path: str, arguments: list[Argument]) -> list[str]:
    first = arguments[0] if arguments else Argument()
    if first.items and first.items[0] is not None:
        return ["*" if item is None else item for item in first.items]
    if first.text and not first.is_prefix and path in ("os.system", "os.popen"):
        return first.text.split()
    return []


def _peer(arguments: list[Argument]) -> str:
    match arguments:
        case [Argument(items=(str(host), *_), number=port), *_]:
            return f"{host.lower()}:{port or 'PORT'}"
        case [Argument(text=str(host), is_prefix=False), Argument(number=port)]:
            return f"{host.lower()}:{port or 'PORT'}"
    return ""


def _host_calls(file: FileCode, resolver: Resolver, permissions: Permissions) -> tuple[list[Finding], int]:
    findings: list[Finding] = []
    unjudged = 0
    for call, mention in file.calls.items():
        for path in resolver.paths(call.chain) & HOST_CALLS:
            judged = judge_call(path.rpartition(".")[2], [resolver.value(each) for each in call.arguments], permissions)
            if isinstance(judged, Unknown):
                unjudged += mention.count
            elif judged is not None:
                findings += [
                    Finding(
                        id=judged.id,
                        severity=SEVERITY,
                        entry=file.path,
                        line=line,
                        message=judged.message,
                        advice=judged.advice,
                        rule="assess: a host does what the manifest permits",
                    )
                    for line in mention.lines
                ]
    return findings, unjudged


def _environment(file: FileCode, resolver: Resolver, permissions: Permissions) -> Iterable[Finding]:
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
    for chain, mention in file.mentions.items():
        if any(kind_of(path) is ENVIRONMENT for path in resolver.paths(chain)):
            seen.update(mention.lines)
    for line in sorted(seen - known_lines)[:MAX_FINDINGS_PER_FILE]:
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
    for chain, mention in file.mentions.items():
        # the first text in brackets is the name: os.environ["A"].split(",") reads A
        step = next((step for step in chain[1:] if step[1:2] in ("'", '"')), "")
        if step and _ENV_PATHS & resolver.paths(chain):
            yield str(ast.literal_eval(step[1:-1])), mention.lines
