"""How a registry is reached over https: through which proxy, by whose authorities, with which credentials.

A secret is named - a file or a variable of the environment - and read when the first connection is made. It is in no
URL, no message, no `repr`, and in no request but those to the registry itself, which follow no redirect.
"""

import base64
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded

MAX_SECRET_BYTES = 8192

_PLAIN = re.compile(r"[!-~]+\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Who asks, and where the secret is: exactly one of `file` and `env`.

    Attributes:
        kind: `basic` (RFC 7617), with a user and a password, or `bearer` (RFC 6750), with a token.
        user: of `basic`.
        file: holds the secret on its first line; only its owner may read it.
        env: name of the variable that holds it.
    """

    kind: Literal["basic", "bearer"]
    user: str = ""
    file: Path | None = None
    env: str = ""

    def __post_init__(self) -> None:
        if (self.file is None) == (not self.env):
            raise ConfigError("registry credentials: expected either file or env, and not both")
        if (self.kind == "basic") != bool(self.user) or ":" in self.user:
            raise ConfigError("registry credentials: user belongs to basic, must be given for it, and holds no colon")

    def header(self) -> str:
        """The value of the Authorization header.

        Raises:
            ConfigError: the secret cannot be read, others can read it, or it is no plain text. It is not shown.
        """
        secret = self._secret()
        if self.kind == "bearer":
            if not _PLAIN.match(secret):
                raise ConfigError(f"registry credentials: {self._where()}: a token has no blanks and is ASCII")
            return f"Bearer {secret}"
        return "Basic " + base64.b64encode(f"{self.user}:{secret}".encode()).decode("ascii")

    def _secret(self) -> str:
        if self.file is None:
            secret = os.environ.get(self.env, "")
        else:
            try:
                status = self.file.stat()
                secret = read_bounded(self.file, MAX_SECRET_BYTES).decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"registry credentials: {self._where()}: cannot be read") from error
            if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
                mode = stat.S_IMODE(status.st_mode)
                raise ConfigError(
                    f"registry credentials: {self._where()}: others can read it (mode {mode:04o}); "
                    f"if nobody has: chmod 600 {self.file}, else change the secret"
                )
        secret = secret.strip("\r\n")
        if not secret or "\n" in secret or "\0" in secret:
            raise ConfigError(f"registry credentials: {self._where()}: expected one line that is not empty")
        return secret

    def _where(self) -> str:
        return f"variable {self.env}" if self.file is None else str(self.file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to reach a registry over https. Nothing of it is taken from the environment that is not named here.

    Attributes:
        proxy: `http://HOST:PORT`, through which connections are tunnelled (CONNECT); the registry's certificate is
            checked all the same. Empty: none.
        ca_file: certificates of the authorities that may vouch for the registry's host, instead of the system's.
        credentials: sent to the registry, never to the proxy.
    """

    proxy: str = ""
    ca_file: Path | None = None
    credentials: Credentials | None = field(default=None)

    def __post_init__(self) -> None:
        if not self.proxy:
            return
        parts = urlsplit(self.proxy)
        if parts.username is not None or parts.password is not None:
            raise ConfigError("registry proxy: expected no user and no password in the URL")
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ConfigError("registry proxy: expected http://HOST:PORT")


NO_ACCESS = Access()
"""Directly, by the system's authorities, as anybody."""
