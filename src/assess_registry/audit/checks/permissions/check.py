"""Check `permissions`: found in the source before the sandbox refuses it, with the line that would declare it.

Every Python file of the plugin's own wheel is read as syntax. What is imported or called is followed through aliases,
constant `getattr` and the like, and looked up in `rules`; calls of the host with known arguments are held against the
manifest. It is no proof of innocence: code can hide what it does, and the sandbox stands behind this check.
"""

import json
from collections.abc import Iterable

from assess_registry.audit.checks.permissions.asked import Asked, asked_of_host
from assess_registry.audit.checks.permissions.environment import environment
from assess_registry.audit.checks.permissions.hidden import FACT, hidden_code
from assess_registry.audit.checks.permissions.kinds import (
    PROCESS,
    RULE,
    SOCKET,
    SOCKET_BY_HAND,
    SOCKET_BY_SHIM,
    Kind,
)
from assess_registry.audit.checks.permissions.rules import OTHERS, kind_of, known_names
from assess_registry.audit.checks.permissions.uses import Use, uses
from assess_registry.audit.code import Argument, FileCode, Resolver, read_code, resolvers
from assess_registry.audit.context import Context
from assess_registry.audit.findings import in_order
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.manifest import Manifest, Permissions

NAME = "permissions"

UNREAD = "source-unread"

SHIM = "assess_plugin.shim"

MAX_FINDINGS_PER_FILE = 20
"""Of one id in one file; the last one says how many more there are."""

MAX_PLACES = 50
"""Calls of the host with computed arguments that are named; all are counted."""

_KNOWN = known_names()


def examine(subject: Subject, context: Context) -> Examination:  # noqa: ARG001  the checks' one signature
    """What the plugin's own Python files do, and what of it the manifest does not permit."""
    code = read_code(subject)
    functions = frozenset(name for file in code.files for name in file.functions)
    by_hand = SOCKET_BY_SHIM if any(map(_has_shim, code.files)) else SOCKET_BY_HAND
    findings: list[Finding] = []
    computed: list[Asked] = []
    hidden: list[tuple[str, int, str]] = []
    unfollowed: tuple[str, ...] = ()
    for file, resolver in resolvers(code.files, _KNOWN, OTHERS):
        used = tuple(uses(file, resolver, functions))
        hidden += hidden_code(file, resolver, used)
        found, asked = _examine_file(file, resolver, functions, used, subject.wheel.manifest, by_hand=by_hand)
        findings += found
        computed.append(asked)
        if not resolver.is_followed:
            unfollowed = ("names lead through more files than are followed",)
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
        incomplete=unfollowed + tuple(f"{path} was not examined: {why}" for path, why in sorted(code.unread.items())),
        facts={
            "files": len(code.files),
            "lines": code.lines,
            "host_calls_with_computed_arguments": sum(each.computed for each in computed),
            "computed_host_calls": sorted(place for each in computed for place in each.places)[:MAX_PLACES],
            FACT: [f"{path}:{line} {what}" for path, line, what in sorted(hidden)[:MAX_PLACES]],
        },
    )


def _examine_file(
    file: FileCode,
    resolver: Resolver,
    functions: frozenset[str],
    used_here: Iterable[Use],
    manifest: Manifest | None,
    *,
    by_hand: Kind,
) -> tuple[list[Finding], Asked]:
    permissions = manifest.permissions if manifest else Permissions()
    used: dict[Kind, dict[int, str]] = {}
    counts: dict[Kind, int] = {}
    for kind, what, mention in used_here:
        actual = by_hand if kind is SOCKET and permissions.network else kind
        lines = used.setdefault(actual, {})
        counts[actual] = counts.get(actual, 0) + mention.count
        for line in mention.lines:
            # the longest name says most: `socket.create_connection` rather than `socket`; of equals, always the same
            lines[line] = max(what, lines.get(line, ""), key=lambda name: (len(name), name))
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
    asked = asked_of_host(file, resolver, permissions, functions=functions)
    return findings + asked.findings + list(environment(file, resolver, permissions)), asked


def _has_shim(file: FileCode) -> bool:
    return any(dotted == SHIM or dotted.startswith(f"{SHIM}.") for dotted in file.imports)


def _more(count: int, number: int, lines: int) -> str:
    if number < min(lines, MAX_FINDINGS_PER_FILE) or count <= number:
        return ""
    return f" (and {count - number} more in this file)"


def _details(file: FileCode, resolver: Resolver) -> dict[tuple[Kind, int], str]:
    """The manifest line for a direct use whose arguments are known."""
    found: dict[tuple[Kind, int], str] = {}
    for call, mention in file.calls.items():
        for path in sorted(resolver.paths(call.chain)):
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
            found.update(
                {(each, line): advice for each in (kind, SOCKET_BY_HAND, SOCKET_BY_SHIM) for line in mention.lines}
            )
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
