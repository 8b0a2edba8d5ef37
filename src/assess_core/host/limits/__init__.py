"""What a worker may use: what the kernel is told of it, and what is watched because no kernel limit counts it."""

from assess_core.host.limits.bounds import Bounds, Excess
from assess_core.host.limits.hints import hint
from assess_core.host.limits.kernel import kernel_limits
from assess_core.host.limits.process import UnwatchableError, is_halted
from assess_core.host.limits.watch import Finding, Halted, Watch

__all__ = ["Bounds", "Excess", "Finding", "Halted", "UnwatchableError", "Watch", "hint", "is_halted", "kernel_limits"]
