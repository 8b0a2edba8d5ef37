"""What one file asks of its host, held against the manifest: as far as the arguments say it, and as it is handed on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from assess_registry.audit.checks.permissions.host_calls import (
    PARAMETERS,
    SEVERITY,
    Refused,
    Unknown,
    judge_call,
    looks_like_host,
    missing,
)
from assess_registry.audit.checks.permissions.rules import HOST_CALLS
from assess_registry.audit.code import Argument, Call, FileCode, Mention, Resolver
from assess_registry.audit.code.host import HOST
from assess_registry.audit.code.mentions import COMPUTED
from assess_registry.audit.values import Finding
from assess_registry.manifest import Permissions

UNCLEAR = "unclear-host-call"

RULE = "assess: a host does what the manifest permits"


@dataclass(slots=True)
class Asked:
    """Findings, and the calls whose arguments are computed: how many, and where the first ones stand."""

    findings: list[Finding] = field(default_factory=list)
    computed: int = 0
    places: list[str] = field(default_factory=list)


def asked_of_host(
    file: FileCode,
    resolver: Resolver,
    permissions: Permissions,
    *,
    functions: frozenset[str],
) -> Asked:
    """Every call of the host, and of what may be it.

    Args:
        file: what to look at.
        resolver: its names.
        permissions: what the manifest permits.
        functions: names of functions of the whole wheel.
    """
    asked = Asked()
    for call, mention in file.calls.items():
        for method in _methods(call, resolver):
            judged = judge_call(method, _arguments(method, call, resolver), permissions)
            if isinstance(judged, Unknown):
                _note_computed(asked, file, method, mention, permissions)
            elif judged is not None:
                asked.findings += [_refused(file, line, judged) for line in mention.lines]
        for method in _likely(call, resolver, functions):
            judged = judge_call(method, _arguments(method, call, resolver), permissions)
            if isinstance(judged, Refused):
                name = ".".join(call.chain)[:100]
                asked.findings += [_likely_refused(file, line, name, judged) for line in mention.lines]
    for chain, found in resolver.mentioned.items():
        mention = file.mentions[chain]
        if chain[-1] in PARAMETERS and f"{HOST}.{chain[-1]}" in {path for path, _ in found}:  # as a value
            _note_computed(asked, file, chain[-1], mention, permissions)
        if any(path == f"{HOST}.{COMPUTED}" for path, _ in found):
            asked.findings += [
                _unclear(file, line, "a method of the host by a computed name", "") for line in mention.lines
            ]
    return asked


def _methods(call: Call, resolver: Resolver) -> Iterator[str]:
    for path in resolver.paths(call.chain) & HOST_CALLS:
        yield path.rpartition(".")[2]


def _likely(call: Call, resolver: Resolver, functions: frozenset[str]) -> Iterator[str]:
    """Methods of something that nobody can follow, and that may be the host under another name."""
    method = call.chain[-1]
    if len(call.chain) < 2 or method not in PARAMETERS or method in functions:
        return
    if resolver.paths(call.chain) or resolver.is_library(call.chain[0]):
        return
    if looks_like_host(method, _arguments(method, call, resolver)):
        yield method


def _arguments(method: str, call: Call, resolver: Resolver) -> tuple[Argument, ...]:
    return tuple(resolver.value(each) for each in call.given(*PARAMETERS[method]))


def _note_computed(asked: Asked, file: FileCode, method: str, mention: Mention, permissions: Permissions) -> None:
    asked.computed += mention.count
    asked.places += [f"{file.path}:{line} host.{method}" for line in mention.lines]
    if needed := missing(method, permissions):
        message = f"host.{method} with arguments that cannot be read, and the manifest permits nothing of the kind"
        asked.findings += [_unclear(file, line, message, f"[permissions] {needed}") for line in mention.lines]


def _refused(file: FileCode, line: int, judged: Refused) -> Finding:
    return Finding(
        id=judged.id,
        severity=SEVERITY,
        entry=file.path,
        line=line,
        message=judged.message,
        advice=judged.advice,
        rule=RULE,
    )


def _likely_refused(file: FileCode, line: int, name: str, judged: Refused) -> Finding:
    return _unclear(file, line, f"{name} may be a method of the host: {judged.message}", judged.advice)


def _unclear(file: FileCode, line: int, message: str, advice: str) -> Finding:
    return Finding(
        id=UNCLEAR,
        severity="medium",
        entry=file.path,
        line=line,
        message=message,
        advice=advice or "call the host's methods by their names",
        rule=RULE,
    )
