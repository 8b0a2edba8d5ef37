"""Check `native`: machine code in the wheel, by what it is and by what it is called.

What is compiled cannot be read by any of the other checks, so somebody has to vouch for it: a platform wheel with
native code is flagged unless the policy trusts its publisher with that, and a wheel that calls itself pure and is not
is refused.
"""

import hashlib

from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Finding, Subject
from assess_registry.wheel import UnpackedFile, native_kind

NAME = "native"

NATIVE_CODE = "native-code"
IN_PURE_WHEEL = "native-code-in-pure-wheel"

RULE = "assess: native code in platform wheels only, and vouched for"


def examine(subject: Subject, context: Context) -> Examination:
    """Every native file, listed by path and digest, and judged by the wheel's tags."""
    wheel = subject.wheel
    pure = wheel.root_is_purelib or any(tag.platform == "any" for tag in wheel.tags)
    found = [
        (file, kind)
        for file in sorted(subject.files, key=lambda each: each.path)
        if (kind := native_kind(file.path, file.data))
    ]
    return Examination(
        check=NAME,
        findings=tuple(_finding(file, kind, pure=pure, allowed=context.native_allowed) for file, kind in found),
        facts={
            "native_files": [
                {"path": file.path, "sha256": hashlib.sha256(file.data).hexdigest(), "kind": kind}
                for file, kind in found
            ]
        },
    )


def _finding(file: UnpackedFile, kind: str, *, pure: bool, allowed: bool) -> Finding:
    if pure:
        return Finding(
            id=IN_PURE_WHEEL,
            severity="critical",
            entry=file.path,
            message=f"{kind} in a wheel that says it is pure Python for every platform",
            advice="build a wheel with the platform's tag, or leave the file out",
            rule=RULE,
        )
    return Finding(
        id=NATIVE_CODE,
        severity="info" if allowed else "medium",
        entry=file.path,
        message=f"{kind}, which no other check can read"
        + ("; the policy lets this publisher ship it" if allowed else ""),
        advice="" if allowed else "have the policy allow native code for this publisher, or do without",
        rule=RULE,
    )
