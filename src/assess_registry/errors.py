"""What can go wrong with a registry, split by what the reader should do about it.

`TransportError`: try again. `TrustError`: never try again, find out why. `ConfigError`: edit the thing it names.
Anything else that escapes is a bug of ours and stays loud.
"""

from dataclasses import dataclass
from datetime import datetime

from assess_registry.text import escaped, indented


class RegistryError(Exception):
    """Root of every error this package raises on purpose."""


class TransportError(RegistryError):
    """A file or page could not be had; trying again may help.

    Attributes:
        url: what was asked for.
    """

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(escaped(message))
        self.url = url


class NotPublishedError(TransportError):
    """The registry answered, and does not have it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Issue:
    """One thing that is wrong with a wheel or a manifest.

    Attributes:
        id: stable, kebab-case, for policies and machines, for example `record-hash-mismatch`.
        entry: the archive member, key path or file it was found at; empty when it is about the whole.
        message: what is wrong, expected and got.
        rule: where the rule comes from, for example `PEP 427` or `assess: one manifest a wheel`.
    """

    id: str
    entry: str
    message: str
    rule: str

    def __str__(self) -> str:
        return escaped(f"{self.id}: {self.entry + ': ' if self.entry else ''}{self.message} ({self.rule})")


class TrustError(RegistryError):
    """Something is not what was audited and signed. Nothing was unpacked; do not retry, find out why.

    Attributes:
        step: which verification step refused: `index`, `tags`, `hash`, `signature`, `lock`, `inspect` ...
        thing: the file, project or key it refused.
        expected, got: the two values that should have agreed, as text; empty when the step has no such pair.
        next_step: what the reader can do now.
        issues: all findings, when the step collects several.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str,
        thing: str,
        expected: str = "",
        got: str = "",
        next_step: str = "",
        issues: tuple[Issue, ...] = (),
    ) -> None:
        super().__init__(message)
        self.step = step
        self.thing = thing
        self.expected = expected
        self.got = got
        self.next_step = next_step
        self.issues = issues

    @property
    def what(self) -> str:
        """What happened, without the rest."""
        return super().__str__()

    def __str__(self) -> str:
        # Names of strangers stand in all of these; a line that one of them began would read as ours.
        parts = [f"refused at step {self.step!r}: {escaped(self.thing)}: {escaped(self.what)}"]
        if self.expected or self.got:
            parts.append(f"  expected: {escaped(self.expected)}\n  got:      {escaped(self.got)}")
        parts += [f"  - {issue}" for issue in self.issues]
        if self.next_step:
            parts.append(f"  next: {escaped(self.next_step)}")
        return "\n".join(parts)


class UnservedError(TrustError):
    """It is for other interpreters or platforms than the one it was asked for; for one of those it is not refused."""


class ExpiredError(TrustError):
    """The registry's word is rightly signed and not older than what was known, and its time has run out.

    Somebody forgot to renew it, or somebody else serves what was true once: nothing new is installed by it, and what is
    installed runs on by what was known, as when the registry is out of reach.
    """


class RevokedError(TrustError):
    """It was vouched for once, and is revoked now.

    Attributes:
        reason: the registry's words.
        severity: how bad it is to have it; at `kill` what runs of it is ended where it runs.
    """

    def __init__(self, thing: str, *, reason: str, severity: str, at: datetime) -> None:
        super().__init__(
            f"it was revoked: {reason}",
            step="revoked",
            thing=thing,
            expected="a wheel that is not revoked",
            got=f"revoked at {at:%Y-%m-%dT%H:%M:%SZ}, severity {severity}",
            next_step="remove it where it is installed, and ask for another version",
        )
        self.reason = reason
        self.severity = severity

    @property
    def kills(self) -> bool:
        """Whether what runs of it is ended at once."""
        return self.severity == "kill"


class ConfigError(RegistryError):
    """A file, flag or argument is wrong and has to be edited.

    Attributes:
        problems: every problem found, each naming its file and key path.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(indented(problem) for problem in problems))
        self.problems = problems


class WheelError(RegistryError):
    """A wheel was inspected and is not acceptable.

    Attributes:
        filename: the wheel's name as given.
        issues: everything that is wrong with it, at least one.
    """

    def __init__(self, filename: str, issues: tuple[Issue, ...]) -> None:
        super().__init__(
            f"{escaped(filename)}: {len(issues)} issue(s)\n" + "\n".join(f"  - {issue}" for issue in issues)
        )
        self.filename = filename
        self.issues = issues


class PublishError(RegistryError):
    """A wheel cannot be published as asked; nothing in the index was changed."""
