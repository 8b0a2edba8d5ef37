"""Accounts and the defaults for new ones: /etc/passwd, /etc/shadow, /etc/group, /etc/login.defs.

`login.defs` decides what an account gets when it is made; what PAM adds on top is not looked at here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from assess_host_baseline.facts import read_text
from assess_host_baseline.formats.account_files import Account, ShadowEntry, parse_group, parse_passwd, parse_shadow
from assess_host_baseline.formats.login_defs import number, parse_login_defs
from assess_host_baseline.formats.text import shown
from assess_host_baseline.verdicts import listed, not_applicable, verdict
from assess_plugin import ActionInput, CheckResult, Checks, Host

LOGIN_DEFS = "/etc/login.defs"

UID_MIN = 1000
"""The first uid for people where login.defs does not say (login.defs(5))."""

UMASK_BITS = 0o027
"""A umask takes these away at least: others get nothing, the group may not write."""

STRONG_METHODS = frozenset(("SHA512", "YESCRYPT"))
STRONG_PREFIXES = ("$6$", "$y$", "$gy$")
"""crypt(5): sha512crypt, yescrypt, gost-yescrypt."""

NO_SHELLS = frozenset(("/usr/sbin/nologin", "/sbin/nologin", "/usr/bin/nologin", "/bin/false", "/usr/bin/false"))
SINGLE_COMMANDS = frozenset(("/bin/sync", "/sbin/halt", "/sbin/shutdown"))
"""Shells of the historic accounts `sync`, `halt` and `shutdown`: they do one thing and end."""

CHECKS = Checks()


@CHECKS.check("login-defs-pass-max-days")
def pass_max_days(input: ActionInput) -> CheckResult:
    """New passwords expire."""
    most = int(input.settings["pass_max_days"])
    return _number_check("login-defs-pass-max-days", input.host, "PASS_MAX_DAYS", range(1, most + 1), f"1 to {most}")


@CHECKS.check("login-defs-pass-warn-age")
def pass_warn_age(input: ActionInput) -> CheckResult:
    """People are warned at least a week before their password expires."""
    return _number_check("login-defs-pass-warn-age", input.host, "PASS_WARN_AGE", range(7, 100_000), "7 or more")


@CHECKS.check("login-defs-umask")
def umask(input: ActionInput) -> CheckResult:
    """What a new login creates is closed to others."""
    check_id, values = "login-defs-umask", _login_defs(input.host)
    if values is None:
        return _without_login_defs(check_id)
    value = number(values, "UMASK", base=8)
    return verdict(
        check_id,
        ok=value is not None and value & UMASK_BITS == UMASK_BITS,
        reason="UMASK is not set" if value is None else f"UMASK is {value:03o}",
        expected=f"{UMASK_BITS:03o} or stricter",
        actual="not set" if value is None else f"{value:03o}",
    )


@CHECKS.check("login-defs-encrypt-method")
def encrypt_method(input: ActionInput) -> CheckResult:
    """New passwords are hashed by a method that is slow to guess."""
    check_id, values = "login-defs-encrypt-method", _login_defs(input.host)
    if values is None:
        return _without_login_defs(check_id)
    method = values.get("ENCRYPT_METHOD", "not set")
    return verdict(
        check_id,
        ok=method.upper() in STRONG_METHODS,
        reason=f"ENCRYPT_METHOD is {shown(method)}",
        expected=" or ".join(sorted(STRONG_METHODS)),
        actual=shown(method),
    )


@CHECKS.check("account-root-only-uid-0")
def root_only_uid_0(input: ActionInput) -> CheckResult:
    """Nobody but root has uid 0."""
    names = [account.name for account in _accounts(input.host) if account.uid == 0]
    return _only("account-root-only-uid-0", [name for name in names if name != "root"], "accounts with uid 0 but root")


@CHECKS.check("account-unique-uids")
def unique_uids(input: ActionInput) -> CheckResult:
    """Each uid stands for one account."""
    return _only("account-unique-uids", _twice([a.uid for a in _accounts(input.host)]), "uids of several accounts")


@CHECKS.check("account-unique-names")
def unique_names(input: ActionInput) -> CheckResult:
    """Each account name is given once."""
    return _only("account-unique-names", _twice([a.name for a in _accounts(input.host)]), "names of several accounts")


@CHECKS.check("group-unique-gids")
def unique_gids(input: ActionInput) -> CheckResult:
    """Each gid stands for one group."""
    groups = parse_group(read_text(input.host, "/etc/group"))
    return _only("group-unique-gids", _twice([group.gid for group in groups]), "gids of several groups")


@CHECKS.check("account-passwords-shadowed")
def passwords_shadowed(input: ActionInput) -> CheckResult:
    """No password or hash stands in the file that everybody may read."""
    accounts = _accounts(input.host)
    open_ones = [a.name for a in accounts if a.password != "x" and not a.password.startswith(("*", "!"))]  # noqa: S105
    return _only("account-passwords-shadowed", open_ones, "accounts with a password field in /etc/passwd")


@CHECKS.check("account-system-shells")
def system_shells(input: ActionInput) -> CheckResult:
    """Accounts of services cannot be logged in to."""
    allowed = frozenset(input.settings["allowed_system_shells"])
    values = _login_defs(input.host) or {}
    first = number(values, "UID_MIN")
    limit = UID_MIN if first is None else first
    found = [a.name for a in _accounts(input.host) if 0 < a.uid < limit and _can_log_in(a) and a.name not in allowed]
    return _only("account-system-shells", found, "system accounts with a login shell")


@CHECKS.check("account-empty-passwords")
def empty_passwords(input: ActionInput) -> CheckResult:
    """No account opens without a password."""
    found = [entry.name for entry in _shadow(input.host) if not entry.password]
    return _only("account-empty-passwords", found, "accounts with an empty password")


@CHECKS.check("account-password-hashes")
def password_hashes(input: ActionInput) -> CheckResult:
    """Every password that opens an account is hashed by a method that is slow to guess."""
    with_password = [entry for entry in _shadow(input.host) if entry.password and entry.can_log_in]
    found = [entry.name for entry in with_password if not entry.password.startswith(STRONG_PREFIXES)]
    return _only("account-password-hashes", found, "accounts whose password has a weak hash")


def _accounts(host: Host) -> tuple[Account, ...]:
    return parse_passwd(read_text(host, "/etc/passwd"))


def _shadow(host: Host) -> tuple[ShadowEntry, ...]:
    return parse_shadow(read_text(host, "/etc/shadow"))


def _login_defs(host: Host) -> Mapping[str, str] | None:
    try:
        return parse_login_defs(read_text(host, LOGIN_DEFS))
    except FileNotFoundError:
        return None


def _without_login_defs(check_id: str) -> CheckResult:
    return not_applicable(check_id, f"there is no {LOGIN_DEFS}: accounts are not made by shadow-utils here")


def _number_check(check_id: str, host: Host, name: str, good: range, expected: str) -> CheckResult:
    values = _login_defs(host)
    if values is None:
        return _without_login_defs(check_id)
    value = number(values, name)
    text = "not set" if value is None else str(value)
    return verdict(check_id, ok=value in good, reason=f"{name} is {shown(text)}", expected=expected, actual=shown(text))


def _only(check_id: str, found: Sequence[str], what: str) -> CheckResult:
    """Pass when nothing was found; `what` names the kind of thing that should not be there."""
    return verdict(
        check_id,
        ok=not found,
        reason=f"{what}: {listed(found) if found else 'none'}",
        expected="none",
        actual=listed(found) if found else "none",
    )


def _twice(values: Sequence[str] | Sequence[int]) -> list[str]:
    return [str(value) for value, count in Counter(values).items() if count > 1]


def _can_log_in(account: Account) -> bool:
    return account.shell not in NO_SHELLS and account.shell not in SINGLE_COMMANDS
