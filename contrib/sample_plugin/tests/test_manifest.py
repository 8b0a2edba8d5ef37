"""The manifest says what the code does: the same checks, the same permissions, nothing more."""

import tomllib
from importlib.resources import files as resources

from good_host import list_ssh, names

from assess_host_baseline import packages, plugin, provider
from assess_plugin.testing import PlantedHost, evaluate, execute


def document() -> dict[str, object]:
    return tomllib.loads((resources("assess_host_baseline") / "assess-plugin.toml").read_text("utf-8"))


def test_manifest_and_tables_list_the_same_checks_in_the_same_order(good_host: PlantedHost) -> None:
    in_code = list(plugin.all_checks().ids)
    # the host keys' check is written as a function, so it comes first in its family
    assert sorted(good_host.manifest.checks["host-baseline"]) == sorted(in_code)
    assert set(good_host.manifest.checks) == {"host-baseline"}


def test_no_permission_is_asked_for_that_no_check_needs(good_host: PlantedHost) -> None:
    evaluate(provider, good_host)
    execute(plugin, "host-baseline", good_host)
    # two more things are only asked in other situations: how a host without sshd_config or /etc/os-release looks
    good_host.remove("/etc/ssh/sshd_config")
    good_host.remove("/etc/os-release")
    list_ssh(good_host)
    evaluate(provider, good_host)
    execute(plugin, "host-baseline", good_host, checks=["sshd-x11-forwarding"])
    assert good_host.unused_permissions() == ()


def test_a_permission_that_is_not_needed_is_noticed(good_host: PlantedHost) -> None:
    execute(plugin, "host-baseline", good_host)
    assert set(good_host.unused_permissions()) == {
        "read: /etc/os-release",
        "read: /usr/lib/os-release",
        "stat: /usr/sbin/sshd",
        "commands: ['uname', '-m']",
    }


def test_every_result_has_provenance_or_shares_evidence(good_host: PlantedHost) -> None:
    results = execute(plugin, "host-baseline", good_host)
    without = [check for check, result in results.items() if not good_host.uses_of(check) and not result.evidence]
    assert without == []


def test_evidence_is_handed_over_once_and_refers_to_what_was_taken(good_host: PlantedHost) -> None:
    results = execute(plugin, "host-baseline", good_host)
    referred = {evidence.name for result in results.values() for evidence in result.evidence}
    assert referred == set(good_host.taken) == {"search", "security-updates"}


def test_settings_have_defaults_and_change_verdicts(good_host: PlantedHost) -> None:
    good_host.commands[packages.QUERY] = "ii \topenssl\t3.0.20-1~deb12u2\n"
    strict = {
        "minimum_versions": {"openssl": "3.0.20-1"},
        "pass_max_days": 90,
        "allowed_set_id_programs": ["/usr/bin/su"],
        "lists_max_age_days": 0.01,
    }
    results = execute(plugin, "host-baseline", good_host, settings=strict)
    assert {check: result.outcome.value for check, result in results.items() if result.outcome != "pass"} == {
        "package-minimum-versions": "fail",
        "login-defs-pass-max-days": "fail",
        "surprise-set-id-programs": "fail",
        "package-security-updates": "skipped",
    }


def test_remediation_titles_and_controls_are_given_for_every_check() -> None:
    checks = document()["checks"]
    assert isinstance(checks, list)
    assert all(check["title"] and check["remediation"] and check["controls"] for check in checks)
    assert all(control.startswith("nist-800-53:") for check in checks for control in check["controls"])


def test_depth_of_the_search_is_the_one_word_that_varies(good_host: PlantedHost) -> None:
    command = next(argv for argv in good_host.permissions.commands if "-prune" in argv)
    assert [command[i - 1] for i, word in enumerate(command) if word == "*"] == ["-maxdepth"]
    assert sum("*" in argv for argv in good_host.permissions.commands) == 1


def test_names_are_listed_as_find_prints_them() -> None:
    assert names("a", "b") == "a\0b\0"
