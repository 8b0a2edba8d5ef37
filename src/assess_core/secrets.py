"""Where a secret lies, and the secret: named in a configuration, read when it is needed, shown nowhere.

    SecretSource.parse("env:DB_PASSWORD").read().value      -> "correct horse"
    repr(SecretSource.parse("file:/etc/assess/db").read())  -> "[secret]"

`env:VARIABLE` is one of the runtime's own environment, `file:/PATH` a file that nobody else may read, `credential:NAME`
a file of `$CREDENTIALS_DIRECTORY`, which systemd makes for a service (systemd.exec(5), LoadCredential=).
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MAX_SECRET_BYTES = 64 * 1024

MIN_SECRET = 6
"""Characters. A shorter one would be found everywhere in what a plugin says, and be guessed from where it was."""

CREDENTIALS = "CREDENTIALS_DIRECTORY"

_FORMS = 'expected "env:VARIABLE", "file:/PATH" or "credential:NAME"'
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


class SecretError(Exception):
    """A secret cannot be had; says where it was looked for, and nothing of what is there."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value that no `repr`, log or message shows."""

    value: str

    def __repr__(self) -> str:
        return "[secret]"

    __str__ = __repr__


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretSource:
    """Where a secret lies. That may be shown."""

    kind: Literal["env", "file", "credential"]
    name: str

    @classmethod
    def parse(cls, text: str) -> "SecretSource":
        """The source that a configuration names.

        Raises:
            ValueError: it names none; the text is not repeated, for it may be the secret itself.
        """
        kind, _, name = text.partition(":")
        if kind == "env" and _VARIABLE.match(name):
            return cls(kind="env", name=name)
        if kind == "credential" and _CREDENTIAL.match(name):
            return cls(kind="credential", name=name)
        if kind == "file" and name.startswith("/") and name.isprintable():
            return cls(kind="file", name=os.path.normpath(name))
        raise ValueError(f"{_FORMS}, which says where the secret lies, and never the secret itself")

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def path(self) -> Path | None:
        """The file it lies in; None for a variable, and where no credentials were given to this service."""
        if self.kind == "file":
            return Path(self.name)
        directory = credentials_directory() if self.kind == "credential" else None
        return None if directory is None else directory / self.name

    def read(self) -> Secret:
        """The secret, without the line's end after it.

        Raises:
            SecretError: it is not there, is too short or too long, is no text, or others can read it.
        """
        text = self._from_environment() if self.kind == "env" else self._from_file()
        value = text.removesuffix("\n").removesuffix("\r")
        if len(value) < MIN_SECRET:
            raise SecretError(f"{self} has fewer than {MIN_SECRET} characters, too few to be a secret")
        if "\0" in value:
            raise SecretError(f"{self} holds a NUL")
        return Secret(value)

    def _from_environment(self) -> str:
        value = os.environ.get(self.name)
        if value is None:
            raise SecretError(f"{self} is not set in the runtime's environment")
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:
            raise SecretError(f"{self} is no text in UTF-8") from error
        if size > MAX_SECRET_BYTES:
            raise SecretError(f"{self} is larger than {MAX_SECRET_BYTES} bytes")
        return value

    def _from_file(self) -> str:
        path = self.path
        if path is None:
            raise SecretError(f"{self}: {CREDENTIALS} is not set; it is systemd that sets it, for LoadCredential=")
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            raise SecretError(f"{self} cannot be read: {error.strerror}") from error
        try:
            self._require_private(os.fstat(descriptor))
            data = b""
            while len(data) <= MAX_SECRET_BYTES and (more := os.read(descriptor, MAX_SECRET_BYTES + 1)):
                data += more
        except OSError as error:
            raise SecretError(f"{self} cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if len(data) > MAX_SECRET_BYTES:
            raise SecretError(f"{self} is larger than {MAX_SECRET_BYTES} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise SecretError(f"{self} is no text in UTF-8") from error

    def _require_private(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise SecretError(f"{self} is not a regular file")
        # systemd lets a service read its credentials by an ACL, whose mask shows as the right of a group.
        others = 0o037 if self.kind == "credential" else 0o077
        if status.st_mode & others or status.st_uid not in (os.geteuid(), 0):
            raise SecretError(
                f"{self} can be read by others (owner uid {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}): "
                f"if nobody has, chmod 600 it, else change the secret"
            )


def credentials_directory() -> Path | None:
    """Where systemd has put this service's credentials; None where it was given none."""
    directory = os.environ.get(CREDENTIALS, "")
    return Path(directory) if directory.startswith("/") else None
