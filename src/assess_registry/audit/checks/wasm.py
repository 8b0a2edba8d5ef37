"""Check `wasm`: WebAssembly modules, and whether each asks for nothing but the host's own functions.

A module is found by its first bytes whatever it is called. What it may import is the host API, by name; everything
else would have to be given by an adapter that nobody approved.
"""

from typing import Any

from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.audit.wasm_module import MAGIC, WasmError, WasmModule, parse_wasm
from assess_registry.manifest import Severity

NAME = "wasm"

HOST_MODULE = "assess_host_v1"
HOST_FUNCTIONS = frozenset(("run", "open", "stat", "log", "progress", "evidence", "connect", "secret"))
"""Everything a module may import: the host's methods, as functions of module `assess_host_v1`."""

FOREIGN_IMPORT = "wasm-import"
MALFORMED = "wasm-malformed"
UNBOUNDED = "wasm-memory-unbounded"
START = "wasm-start-function"

MAX_FINDINGS = 20
"""Foreign imports reported of one module; the last one says how many more there are."""

RULE = "assess: the host API is all that a WebAssembly module may import"
_PAGE_KIB = 64


def examine(subject: Subject, context: Context) -> Examination:  # noqa: ARG001  the checks' one signature
    """Every module's imports, memory and start function, as facts; what is not as it must be, as findings."""
    findings: list[Finding] = []
    modules: list[dict[str, Any]] = []
    for file in sorted(subject.files, key=lambda each: each.path):
        if file.data[:4] != MAGIC and not file.path.lower().endswith(".wasm"):
            continue
        try:
            module = parse_wasm(file.data)
        except WasmError as error:
            findings.append(_finding(MALFORMED, "high", file.path, f"it cannot be read as WebAssembly: {error}", ""))
            modules.append({"path": file.path, "malformed": str(error)})
            continue
        findings += _judge(file.path, module)
        modules.append({"path": file.path, **_facts(module)})
    return Examination(check=NAME, findings=tuple(findings), facts={"modules": modules})


def _judge(path: str, module: WasmModule) -> list[Finding]:
    foreign = [
        each
        for each in module.imports
        if each.module != HOST_MODULE or each.name not in HOST_FUNCTIONS or each.kind != "function"
    ]
    findings = []
    for number, each in enumerate(foreign[:MAX_FINDINGS], 1):
        more = f" (and {len(foreign) - number} more)" if number == MAX_FINDINGS < len(foreign) else ""
        message = f"imports {each.kind} {each.module!r:.120}.{each.name!r:.120}, which is not of the host API{more}"
        advice = f"import functions of {HOST_MODULE} only: {', '.join(sorted(HOST_FUNCTIONS))}"
        findings.append(_finding(FOREIGN_IMPORT, "high", path, message, advice))
    if any(memory.maximum is None for memory in module.memories):
        advice = "give the memory a maximum when linking, for example --max-memory=67108864"
        findings.append(_finding(UNBOUNDED, "medium", path, "its memory has no maximum", advice))
    if module.start is not None:
        message = f"function {module.start} runs as soon as the module is instantiated"
        findings.append(_finding(START, "medium", path, message, "export a function for the adapter to call instead"))
    return findings


def _facts(module: WasmModule) -> dict[str, Any]:
    return {
        "imports": [f"{each.module}.{each.name} ({each.kind})" for each in module.imports],
        "memories": [
            {
                "minimum_kib": memory.minimum * _PAGE_KIB,
                "maximum_kib": None if memory.maximum is None else memory.maximum * _PAGE_KIB,
            }
            for memory in module.memories
        ],
        "start": module.start,
    }


def _finding(kind: str, severity: Severity, path: str, message: str, advice: str) -> Finding:
    return Finding(id=kind, severity=severity, entry=path, message=message, advice=advice, rule=RULE)
