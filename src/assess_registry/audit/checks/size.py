"""Is the wheel larger than plugins have a reason to be?"""

from assess_registry.audit.context import Context
from assess_registry.audit.values import Examination, Finding, Subject

NAME = "size"


def examine(subject: Subject, context: Context) -> Examination:
    """Compare the wheel's size, and what it inflates to, with the policy's bound for the wheel."""
    wheel = subject.wheel
    findings = []
    if wheel.size > context.max_wheel_bytes:
        largest = max(wheel.entries, key=lambda entry: (entry.size, entry.path))
        finding = Finding(
            id="wheel-too-large",
            severity="medium",
            entry="",
            message=f"the wheel has {wheel.size} bytes, more than the {context.max_wheel_bytes} of the policy; "
            f"its largest file is {largest.path} with {largest.size}",
            advice="leave out what the plugin does not need to run, or raise max_wheel_mib",
            rule="docs/policy.md: max_wheel_mib",
        )
        findings.append(finding)
    facts = {
        "files": len(wheel.entries),
        "inflated_bytes": sum(entry.size for entry in wheel.entries),
        "wheel_bytes": wheel.size,
    }
    return Examination(check=NAME, findings=tuple(findings), facts=facts)
