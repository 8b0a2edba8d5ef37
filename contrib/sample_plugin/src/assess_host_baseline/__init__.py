"""Assesses a Linux host: its kernel, files, accounts, sshd, packages, and what does not belong there.

Two entry points: `plugin` reports the checks, `provider` finds the host they are about. The families of checks are
`kernel`, `files`, `accounts`, `sshd`, `packages` and `surprises`; what they read is understood in `formats`, without
a host.
"""
