"""A file becomes a configuration, or everything that is wrong with it."""

import os
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core import config as c
from assess_core.config.model import TABLES, keys_of
from assess_core.config.values import host_name
from assess_core.errors import ConfigError
from assess_registry.client import Access, Credentials
from tests.support.examples import examples

HERE = Path("/srv/assess/assess.toml")
BASE = '[registry]\nurl = "file:simple-index"\nroot = "1.root.json"\n'
PLUGIN = '[[plugins]]\nname = "demo-plugin"\n'
ASSESSMENT = '[[assessments]]\nid = "host"\nplugin = "demo"\nprovider = "demo-subjects"\n'
FOLDER = '[[plugins]]\ndir = "plugins"\ntrusted_keys = "keys"\n'
GOOD = BASE + PLUGIN + ASSESSMENT
SCHEDULE = 'schedule = "30 2 * * *"\n'
WINDOW = '[[maintenance]]\nid = "w"\nopens = "0 22 * * SAT"\nduration = "4h"\n'
ONCE = '[[maintenance]]\nid = "w"\nfrom = 2027-03-27T22:00:00+01:00\nuntil = 2027-03-28T06:00:00+02:00\n'
WAIVER = '[[waivers]]\ncheck = "c-1"\nsubject = "web-01"\nowner = "me"\nreason = "why"\nexpires = 2027-03-31\n'


def problems(text: str | bytes) -> list[str]:
    """What is wrong with this file, without its name; fails if nothing is."""
    with pytest.raises(ConfigError) as caught:
        c.parse(text if isinstance(text, bytes) else text.encode(), HERE)
    assert all(problem.startswith(f"{HERE}: ") for problem in caught.value.problems)
    return [problem.removeprefix(f"{HERE}: ") for problem in caught.value.problems]


def parse(text: str) -> c.Config:
    return c.parse(text.encode(), HERE)


def registry(config: c.Config) -> c.RegistrySettings:
    assert config.registry is not None
    return config.registry


def test_defaults_and_relative_paths() -> None:
    config = parse(GOOD + '[runtime]\nstate_dir = "state"\n')
    assert registry(config).url == "file:///srv/assess/simple-index"
    assert registry(config).root == Path("/srv/assess/1.root.json")
    assert config.runtime.state_dir == Path("/srv/assess/state")
    assert (registry(config).development, registry(config).timeout_s) == (False, 60)
    assert (registry(config).max_staleness_d, registry(config).access) == (30, Access())
    assert config.runtime.id
    assert (config.plugins[0].version, dict(config.plugins[0].settings)) == ("", {})
    assessment = config.assessments[0]
    assert (assessment.checks, assessment.timeout_s, assessment.enabled) == (("*",), None, True)
    assert config.source == HERE


def test_the_defaults_of_what_runs_for_months() -> None:
    config = parse(GOOD)
    (host,) = config.assessments
    assert (host.schedule, host.tz, host.jitter, host.overlap, host.misfire) == ("", None, None, "skip", "run_once")
    assert (host.grace_s, host.retries, host.retry_after_s) == (60, 0, 30)
    assert (config.runtime.tz, config.runtime.stop_within_s) == ("UTC", 60)
    assert (config.maintenance, config.waivers) == ((), ())
    assert (config.results.keep_days, config.results.evidence_mib, config.results.waiver_notice_d) == (400, 2048, 14)
    observe = config.observe
    assert (observe.listen, observe.log, observe.log_level, observe.watchdog) == ("", "text", "info", False)


def test_windows_and_waivers_are_read_as_they_are_written() -> None:
    config = parse(GOOD + WINDOW + ONCE.replace('"w"', '"once"') + WAIVER + '[observe]\nlisten = "[::1]:0"\n')
    again, once = config.maintenance
    assert (again.opens, again.duration, again.from_, again.assessments) == ("0 22 * * SAT", "4h", None, ("*",))
    assert (once.from_, once.until) == (
        datetime(2027, 3, 27, 21, tzinfo=UTC),
        datetime(2027, 3, 28, 4, tzinfo=UTC),
    )
    assert (config.waivers[0].expires, config.observe.listen) == (date(2027, 3, 31), "[::1]:0")


def test_a_grant_is_all_that_is_approved_or_a_table_that_narrows_key_by_key() -> None:
    (approved,) = parse(BASE + PLUGIN).plugins
    assert (approved.grant, approved.ceiling, approved.run_with_less) == ("approved", None, False)
    (narrowed,) = parse(BASE + PLUGIN + 'grant = { read = ["/etc/ssh"], network = [] }\nrun_with_less = true').plugins
    assert narrowed.ceiling is not None
    assert narrowed.ceiling.keys == {"read", "network"}
    assert narrowed.ceiling.permissions.read == ("/etc/ssh",)
    assert narrowed.run_with_less


def test_a_secret_is_named_by_where_it_is() -> None:
    (plugin,) = parse(BASE + PLUGIN + 'secrets = { a = "env:A", b = "file:/run/b", c = "credential:c.d" }').plugins
    assert {name: str(source) for name, source in plugin.secret_sources.items()} == plugin.secrets


@pytest.mark.parametrize("written", ['"hunter2hunter2"', "31337", '["hunter2hunter2"]', '{ x = "hunter2hunter2" }'])
def test_a_secret_in_place_of_where_it_is_gets_into_no_message(written: str) -> None:
    (problem,) = problems(BASE + PLUGIN + f"secrets = {{ token = {written} }}")
    assert problem.startswith("plugins[0].secrets.token: expected ")
    assert "hunter2" not in problem
    assert "31337" not in problem


def test_a_folder_of_plugins_needs_no_registry_and_has_keys_of_its_own() -> None:
    config = parse(FOLDER)
    (folder,) = config.plugins
    assert config.registry is None
    assert (folder.name, folder.dir) == (None, Path("/srv/assess/plugins"))
    assert folder.trusted_keys == Path("/srv/assess/keys")
    assert parse(BASE + FOLDER + PLUGIN).plugins[1].trusted_keys is None


def test_how_the_registry_is_reached() -> None:
    said = """
        max_staleness_d = 0.5
        proxy = "http://proxy.example.org:3128"
        ca_file = "ca.pem"
        credentials = { kind = "basic", user = "web-01", file = "secret" }
    """
    found = registry(parse(BASE + said))
    secret = Credentials(kind="basic", user="web-01", file=Path("/srv/assess/secret"))
    assert found.access == Access(
        proxy="http://proxy.example.org:3128", ca_file=Path("/srv/assess/ca.pem"), credentials=secret
    )
    assert found.max_staleness_d == 0.5
    bearer = registry(parse(BASE + 'credentials = { kind = "bearer", env = "TOKEN" }\n')).access.credentials
    assert bearer == Credentials(kind="bearer", env="TOKEN")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        registry(parse(GOOD)).url = "https://elsewhere.example"


def test_everything_is_said_at_once() -> None:
    text = """\
        [runtime]
        id = ""
        labels = { env = 3, "a b" = "" }
        [registry]
        url = "ftp://example.org"
        timeout_s = nan
        [[plugins]]
        name = "Demo_Plugin"
        version = "~1.2"
        [[assessments]]
        id = "host"
        plugim = "demo"
        provider = "demo-subjects"
        timeout_s = 0
        shcedule = "every 15m"
    """
    assert [line.split(": ")[0] for line in problems(text)] == [
        "runtime.id",
        "runtime.labels.env",
        'runtime.labels."a b"',
        "registry.url",
        "registry.root",
        "registry.timeout_s",
        "plugins[0].name",
        "plugins[0].version",
        "assessments[0].plugin",
        "assessments[0].timeout_s",
        "assessments[0].plugim",
        "assessments[0].shcedule",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "plugim = 1", "assessments[0].plugim: unknown key; did you mean 'plugin'?"),
        (GOOD + "[runtme]", "runtme: unknown key; did you mean 'runtime'?"),
        (GOOD + "[[assesments]]", "assesments: unknown key; did you mean 'assessments'?"),
        (GOOD + "zzz = 1", "assessments[0].zzz: unknown key; expected one of: checks, enabled, grace_s, id, "),
        (GOOD + '"\\u001b[2J" = 1', 'assessments[0]."\\x1b[2J": unknown key'),
        (GOOD + "enabled = 1", "assessments[0].enabled: expected true or false, got 1"),
        (GOOD + 'enabled = "true"', "assessments[0].enabled: expected true or false, got 'true'"),
        (GOOD + "timeout_s = true", "assessments[0].timeout_s: expected a number, got true"),
        (GOOD + 'timeout_s = "60"', "assessments[0].timeout_s: expected a number, got '60'"),
        (GOOD + "timeout_s = 0", "assessments[0].timeout_s: expected more than 0 and at most 86400 seconds, got 0"),
        (GOOD + "timeout_s = -1", "expected more than 0 and at most 86400 seconds, got -1"),
        (GOOD + "timeout_s = nan", "expected more than 0 and at most 86400 seconds, got nan"),
        (GOOD + "timeout_s = inf", "expected more than 0 and at most 86400 seconds, got inf"),
        (GOOD + "timeout_s = 1e300", "expected more than 0 and at most 86400 seconds, got 1e+300"),
        (GOOD + "timeout_s = " + "9" * 400, "expected a number, got an integer of more than 64 bits"),
        (GOOD + "timeout_s = " + "9" * 5000, "not TOML: Exceeds the limit"),
        (GOOD + 'checks = "*"', "assessments[0].checks: expected an array, got '*'"),
        (GOOD + "checks = []", "assessments[0].checks: expected at least one"),
        (GOOD + "checks = [1]", "assessments[0].checks[0]: expected a string, got 1"),
        (GOOD + 'checks = ["a b"]', "assessments[0].checks[0]: expected a check id or a pattern"),
        (GOOD + 'checks = ["a", "a"]', "assessments[0].checks: given twice: 'a'"),
        (GOOD + "selector = 2027-01-01", "assessments[0].selector: expected a table, got 2027-01-01"),
        (GOOD + "selector = { a = [2027-01-01] }", "assessments[0].selector.a[0]: dates and times are not handed"),
        (GOOD + "selector = { a = nan }", "assessments[0].selector.a: expected a finite number, got nan"),
        (
            GOOD + "selector = { a = 9223372036854775808 }",
            "assessments[0].selector.a: expected an integer of at most 64",
        ),
        (GOOD + "selector.a = " + "[" * 20 + "]" * 20, "nested more than 16 levels deep"),
        (GOOD + "[runtime]\ncalls = -1", "runtime.calls: expected 0 to 1000 calls, got -1"),
        (GOOD + "[runtime]\ncalls = 1001", "runtime.calls: expected 0 to 1000 calls, got 1001"),
        (GOOD + "[runtime]\ncalls = 1.5", "runtime.calls: expected an integer, got 1.5"),
        (GOOD + '[runtime]\nstart_workers = "thread"', "runtime.start_workers: "),
        (GOOD + "[runtime]\ninterpreters = [3]", "runtime.interpreters[0]: expected a path, as a string, got 3"),
        (GOOD + '[runtime]\ninterpreters = ["/p", "/p"]', "runtime.interpreters: given twice"),
        (GOOD + '[[plugins]]\nname = "a"\nworkers = 0', "plugins[1].workers: expected 1 to 64 processes, got 0"),
        (GOOD + '[[plugins]]\nname = "a"\nworkers = 65', "plugins[1].workers: expected 1 to 64 processes, got 65"),
        (GOOD + '[[plugins]]\ndir = "d"\ntrusted_keys = "k"\nworkers = 2', "plugins[1].workers: a folder may hold"),
        (GOOD + "[runtime]\nstate_dir = 3", "runtime.state_dir: expected a path, as a string, got 3"),
        (GOOD + '[runtime]\nstate_dir = ""', "runtime.state_dir: expected a path"),
        (GOOD + '[runtime]\nstate_dir = "~/state"', "runtime.state_dir: '~' is not expanded"),
        (GOOD + '[runtime]\nid = "web 01"', "runtime.id: expected 1 to 100 letters, digits"),
        (GOOD + '[runtime]\nid = "-"', "runtime.id: expected 1 to 100 letters, digits"),
        (GOOD + ASSESSMENT, "assessments[1].id: assessment id 'host' is taken by assessments[0]"),
        (GOOD + PLUGIN, "plugins[1].name: distribution 'demo-plugin' is taken by plugins[0]"),
        (GOOD.replace("demo-plugin", "Demo.Plugin"), "plugins[0].name: not normalised (PEP 503): write 'demo-plugin'"),
        (GOOD.replace("demo-plugin", "dem\u043e-plugin"), "plugins[0].name: 'dem\u043e-plugin' is not a normalised"),
        (GOOD.replace('"demo"', '"Demo"'), "assessments[0].plugin: 'Demo' must be lower-case"),
        (GOOD.replace('"host"', '""'), "assessments[0].id: '' must be lower-case"),
        (BASE + '[[plugins]]\nname = "a"\nversion = "1.2"', "plugins[0].version: not a version specifier (PEP 440)"),
        (BASE + "[[plugins]]\nname = 1", "plugins[0].name: expected a string, got 1"),
        (BASE + '[plugins]\nname = "a"', "plugins: expected an array, got a table; write [[plugins]]"),
        (GOOD + '[[plugins]]\nversion = "~=1.2"', "plugins[1].name: missing; expected the distribution"),
        (GOOD + '[[plugins]]\ntrusted_keys = "x"\nname = "a"', "plugins[1].trusted_keys: goes with dir"),
        (GOOD + '[[plugins]]\ndir = "x"\nversion = "~=1.2"', "plugins[1].version: a folder may hold several plugins"),
        (GOOD + '[[plugins]]\ndir = "x"\nsettings = {}', "plugins[1].settings: a folder may hold several plugins"),
        (GOOD + '[[plugins]]\ndir = "x"\ngrant = {}', "plugins[1].grant: a folder may hold several plugins"),
        (
            BASE + PLUGIN + "grant = 3",
            'plugins[0].grant: expected "approved", or a table of what is granted at most, got 3',
        ),
        (BASE + PLUGIN + 'grant = "all"', 'plugins[0].grant: expected "approved", or a table of what is granted'),
        (
            BASE + PLUGIN + 'grant = { raed = ["/etc"] }',
            "plugins[0].grant.raed: there is no such key; did you mean 'read'?",
        ),
        (BASE + PLUGIN + 'grant = { read = ["/etc/../x"] }', "plugins[0].grant.read[0]: expected an absolute path"),
        (BASE + PLUGIN + 'grant = { read = "/etc" }', "plugins[0].grant.read: expected an array"),
        (BASE + PLUGIN + 'grant = { commands = ["id"] }', "plugins[0].grant.commands[0]: expected an array of 1 to 64"),
        (BASE + PLUGIN + 'run_with_less = "yes"', "plugins[0].run_with_less: expected true or false, got 'yes'"),
        (BASE + PLUGIN + 'secrets = { t = "env:" }', 'plugins[0].secrets.t: expected "env:VARIABLE"'),
        (BASE + PLUGIN + 'secrets = { t = "file:x" }', 'plugins[0].secrets.t: expected "env:VARIABLE"'),
        (
            GOOD + 2 * '[[plugins]]\ndir = "x"\ntrusted_keys = "k"\n',
            "plugins[2].dir: folder 'x' is taken by plugins[1]",
        ),
        (GOOD + '[[plugins]]\ndir = "x"\nname = "demo-plugin"', "plugins[1].name: distribution 'demo-plugin' is taken"),
        (GOOD + "[[plugins]]\ndir = 3", "plugins[1].dir: expected a path, as a string, got 3"),
        ('[[plugins]]\ndir = "x"', "plugins[0].trusted_keys: missing; expected directory of the publishers'"),
        (FOLDER + PLUGIN, "registry: missing; expected where plugins come from"),
        ("[[registry]]", "registry: expected a table, got an array; write [registry], once"),
        ("", "registry: missing; expected where plugins come from"),
        (
            '[registry]\nurl = "file:x"',
            "registry.root: missing; expected the registry's first root metadata",
        ),
        (BASE + 'trusted_keys = "keys"', "registry.trusted_keys: unknown key"),
        (BASE + "max_staleness_d = -1", "registry.max_staleness_d: expected 0 to 3650 days, got -1"),
        (BASE + "max_staleness_d = nan", "registry.max_staleness_d: expected 0 to 3650 days"),
        (BASE + 'proxy = "https://proxy"', "registry.proxy: expected http://HOST:PORT"),
        (BASE + 'proxy = "http://me:secret@proxy:1"', "registry.proxy: expected no user and no password in the URL"),
        (BASE + 'credentials = "token"', "registry.credentials: expected a table"),
        (
            BASE + 'credentials = { kind = "digest" }',
            'registry.credentials: expected kind = "basic" or',
        ),
        (BASE + 'credentials = { kind = "bearer" }', "registry.credentials: expected either file or env, and not both"),
        (BASE + 'credentials = { kind = "bearer", env = 3 }', "registry.credentials.env: expected a string, got 3"),
        (BASE + 'credentials = { kind = "bearer", token = "s3" }', "registry.credentials: expected kind, user, file"),
        (
            BASE + 'credentials = { kind = "basic", file = "x" }',
            "registry.credentials: user belongs to basic, must be given for it",
        ),
        (GOOD + 'schedule = "every 15x"', "assessments[0].schedule: expected a number and s, m, h or d"),
        (GOOD + 'schedule = "every 0s"', "assessments[0].schedule: expected `every` and how long"),
        (
            GOOD + 'schedule = "@daily"',
            "assessments[0].schedule: expected `every 15m` or a cron expression of 5 fields",
        ),
        (
            GOOD + 'schedule = "61 * * * *"',
            "assessments[0].schedule: not a cron expression: bad minute, got '61 * * * *'",
        ),
        (GOOD + 'schedule = "0 0 31 2 *"', "assessments[0].schedule: not a cron expression: bad day-of-month"),
        (GOOD + 'schedule = "0 0 * 2 MON#5"', "assessments[0].schedule: never due: no day within five years"),
        (GOOD + 'schedule = "every 5m"\ntz = "UTC"', "assessments[0].tz: goes with a cron expression"),
        (GOOD + 'tz = "UTC"', "assessments[0].tz: goes with schedule, which is not given"),
        (GOOD + SCHEDULE + 'tz = "Europe/Berlim"', "assessments[0].tz: not a time zone; did you mean 'Europe/Berlin'?"),
        (GOOD + SCHEDULE + 'tz = "../../etc/passwd"', "assessments[0].tz: not a time zone, for example Europe/Berlin"),
        (GOOD + SCHEDULE + 'tz = "right/UTC"', "assessments[0].tz: not a time zone"),
        (GOOD + SCHEDULE + 'tz = "Europe"', "assessments[0].tz: not a time zone"),
        (GOOD + '[runtime]\ntz = ""', "runtime.tz: not a time zone"),
        (GOOD + SCHEDULE + "jitter = 5", "assessments[0].jitter: expected a string, got 5"),
        (GOOD + SCHEDULE + 'jitter = "5"', "assessments[0].jitter: expected a number and s, m, h or d"),
        (GOOD + SCHEDULE + 'jitter = "25h"', "assessments[0].jitter: expected at most a day, got '25h'"),
        (
            GOOD + 'schedule = "every 5m"\njitter = "300s"',
            "assessments[0].jitter: expected less than what lies between",
        ),
        (GOOD + 'overlap = "wait"', "assessments[0].overlap: "),
        (GOOD + 'misfire = "all"', "assessments[0].misfire: "),
        (GOOD + "grace_s = 0", "assessments[0].grace_s: expected 1 to 86400 seconds, got 0"),
        (GOOD + "grace_s = nan", "assessments[0].grace_s: expected 1 to 86400 seconds"),
        (GOOD + "retries = 6", "assessments[0].retries: expected 0 to 5 retries, got 6"),
        (GOOD + "retry_after_s = 3601", "assessments[0].retry_after_s: expected more than 0 and at most 3600 seconds"),
        (GOOD + "[runtime]\nstop_within_s = 0", "runtime.stop_within_s: expected more than 0 and at most 86400"),
        (
            GOOD + '[[maintenance]]\nid = "w"',
            "maintenance[0]: expected either opens and duration, or from and until; got",
        ),
        (GOOD + WINDOW + "from = 2027-01-01T00:00:00Z", "maintenance[0]: expected either opens and duration"),
        (GOOD + WINDOW + "until = 2027-01-01T00:00:00Z", "maintenance[0].until: does not go with opens"),
        (GOOD + WINDOW.replace("* * SAT", "* *"), "maintenance[0].opens: expected `every 15m` or a cron"),
        (GOOD + WINDOW.replace("0 22 ", "0 0 22 "), "maintenance[0].opens: expected a cron expression of 5 fields"),
        (GOOD + WINDOW.replace("4h", "0h"), "maintenance[0].duration: expected more than nothing"),
        (GOOD + WINDOW.replace('duration = "4h"', ""), "maintenance[0].duration: missing; goes with opens"),
        (
            GOOD + ONCE.replace("T06:00:00+02:00", "T06:00:00"),
            "maintenance[0].until: expected a date-time with its offset",
        ),
        (GOOD + ONCE.replace("T06:00:00+02:00", ""), "maintenance[0].until: expected a date-time with its offset"),
        (GOOD + ONCE.replace("03-28", "03-27"), "maintenance[0].until: expected later than from, got 2027-03-27 06:00"),
        (GOOD + ONCE + 'tz = "UTC"', "maintenance[0].tz: does not go with from"),
        (GOOD + ONCE.replace("from", "form"), "maintenance[0].form: unknown key; did you mean 'from'?"),
        (GOOD + ONCE.replace("from", "from_"), "maintenance[0].from_: unknown key; did you mean 'from'?"),
        (GOOD + ONCE + ONCE, "maintenance[1].id: maintenance id 'w' is taken by maintenance[0]"),
        (
            GOOD + ONCE + 'assessments = ["hots"]',
            "maintenance[0].assessments[0]: no assessment matches 'hots'; did you",
        ),
        (GOOD + "[results]\nkeep_days = 0", "results.keep_days: expected 1 to 3650 days, got 0"),
        (GOOD + "[results]\nevidence_mib = 0", "results.evidence_mib: expected 1 to 1048576 MiB, got 0"),
        (GOOD + "[results]\nwaiver_notice_d = 367", "results.waiver_notice_d: expected 0 to 366 days, got 367"),
        (GOOD + WAIVER.replace("2027-03-31", '"2027-03-31"'), "waivers[0].expires: expected a date, unquoted"),
        (GOOD + WAIVER.replace("2027-03-31", "2027-03-31T00:00:00Z"), "waivers[0].expires: expected a date, unquoted"),
        (GOOD + WAIVER.replace("2027", "2127"), "waivers[0].expires: expected at most two years ahead, got 2127-03-31"),
        (GOOD + WAIVER.replace("c-1", "c-*"), "waivers[0].check: 'c-*' must be lower-case letters"),
        (GOOD + WAIVER.replace('owner = "me"', ""), "waivers[0].owner: missing; expected who answers for it"),
        (GOOD + WAIVER.replace('"why"', '" "'), "waivers[0].reason: expected 1 to 1000 printable characters"),
        (GOOD + WAIVER + WAIVER, "waivers[1]: 'c-1' of 'web-01' is waived by waivers[0] already"),
        (GOOD + '[observe]\nlisten = "0.0.0.0:9464"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "localhost:1"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "127.0.0.1"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "127.0.0.1:65536"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "::1:80"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "[127.0.0.1]:80"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlisten = "[::1%lo]:80"', "observe.listen: expected a loopback address and a port"),
        (GOOD + '[observe]\nlog = "xml"', "observe.log: "),
        (GOOD + '[observe]\nlog_level = "trace"', "observe.log_level: "),
        (GOOD + "[observe]\nwatchdog = 1", "observe.watchdog: expected true or false, got 1"),
        (GOOD + "[[observe]]", "observe: expected a table, got an array; write [observe], once"),
        (GOOD + "[maintenance]", "maintenance: expected an array, got a table; write [[maintenance]]"),
        (BASE + BASE, "line 4, column 10: not TOML: Cannot declare"),
        (BASE + "a = ", "at the end: not TOML: Invalid value"),
        (BASE + "x = \n", "line 4, column 5: not TOML: Invalid value"),
        ("a = " + "[" * 100_000, "not TOML: nested too deeply"),
        ("a." * 100_000 + "a = 1", "line 1: more than 100 dots"),
        ("x = ['''\n#''', {" + "a." * 20_000 + "a = 1}]", "line 2: more than 100 dots"),
        ('x = ["""\n#""", {' + "a." * 20_000 + "a = 1}]", "line 2: more than 100 dots"),
        ("\n".join(f"a{n}{'.a' * 100} = 1" for n in range(1_001)), "line 1001: more than 100000 dots so far"),
    ],
)
def test_each_problem_names_its_key_and_what_would_be_right(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text)), problems(text)
    parse(GOOD)  # the control: the same file without the line in question


@pytest.mark.parametrize(
    ("url", "loaded"),
    [
        ("https://example.org/assess", "https://example.org/assess"),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://[::1]/x", "http://[::1]/x"),
        ("http://localhost/x", "http://localhost/x"),
        ("file:a/b", "file:///srv/assess/a/b"),
        ("file:///abs", "file:///abs"),
        ("http://example.org/x", None),
        ("ftp://example.org/x", None),
        ("simple-index", None),
        ("https://", None),
        ("https://user:secret@example.org/", None),
        ("https://example.org/?a=1", None),
        ("https://example.org:99999/", None),
        ("file://host/x", None),
        ("", None),
    ],
)
def test_registry_urls_are_https_or_local(url: str, loaded: str | None) -> None:
    text = GOOD.replace("file:simple-index", url)
    if loaded is None:
        assert [line.split(": ")[0] for line in problems(text)] == ["registry.url"]
        assert "secret" not in problems(text)[0]
    else:
        assert registry(parse(text)).url == loaded


def test_text_that_is_not_utf_8_is_placed() -> None:
    assert problems(BASE.encode() + b'id = "\xe9"') == ["line 4: not UTF-8 (byte 0xe9); save the file as UTF-8"]
    assert c.parse(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(), HERE) == parse(GOOD)


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=40) | st.text(st.sampled_from("[]{}=.\"'a1\n, #"), max_size=40).map(str.encode))
def test_any_bytes_are_a_configuration_or_a_configuration_error(data: bytes) -> None:
    config, said = None, list[str]()
    try:
        config = c.parse(GOOD.encode() + data, HERE)
    except ConfigError as error:
        said += error.problems
    assert (config is None) == bool(said)
    assert all(problem.isprintable() for problem in said)


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        c.load(path)
    return str(caught.value)


def test_files_that_cannot_be_read_are_explained(tmp_path: Path) -> None:
    assert "there is no such file; run `assess init`" in _refusal(tmp_path / "assess.toml")
    assert "expected a regular file, got a directory" in _refusal(tmp_path)
    assert "cannot be read" in _refusal(tmp_path / ("x" * 300))
    assert "cannot be read" in _refusal(Path("a\0b"))
    huge = tmp_path / "huge.toml"
    huge.write_text("#" * 3_000_000)
    assert "expected at most 2097152 bytes, got 3000000" in _refusal(huge)
    os.mkfifo(tmp_path / "pipe")
    assert "expected a regular file" in _refusal(tmp_path / "pipe")
    good = tmp_path / "good.toml"
    good.write_text(GOOD)
    assert registry(c.load(good)).root == tmp_path / "1.root.json"


def test_the_file_is_chosen_by_flag_then_variable_then_place() -> None:
    assert c.config_path(Path("flag.toml"), {"ASSESS_CONFIG": "env.toml"}) == Path("flag.toml")
    assert c.config_path(None, {"ASSESS_CONFIG": "env.toml"}) == Path("env.toml")
    assert c.config_path(None, {"ASSESS_CONFIG": ""}) == c.config_path(None, {}) == Path("assess.toml")


@given(st.text(max_size=12))
@settings(max_examples=examples(50))
def test_every_host_name_gives_a_valid_runtime_id(name: str) -> None:
    assert parse(GOOD + f'[runtime]\nid = "{host_name(name)}"\n').runtime.id == host_name(name)


TEMPLATES = [
    c.template(url="file:simple-index", root="x/1.root.json", state_dir=".assess/state", development=True),
    c.template(url="https://example.org/assess", root='r"o\\ot é', assessment="web", plugin="p", provider="q"),
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_the_template_loads_and_says_what_it_was_given(text: str) -> None:
    config = parse(text)
    assert (config.assessments[0].plugin, registry(config).development) in (("host-baseline", True), ("p", False))
    assert registry(config).root in (Path("/srv/assess/x/1.root.json"), Path('/srv/assess/r"o\\ot é'))


@pytest.mark.parametrize("text", TEMPLATES)
def test_every_commented_key_of_the_template_is_valid_too(text: str) -> None:
    uncommented = re.sub(r"^# ([a-z_0-9]+ = |\[\[)", r"\1", text, flags=re.MULTILINE)
    assert uncommented != text
    assert parse(uncommented).runtime.id == "web-01"
    mentioned = set(re.findall(r"^(?:# )?([a-z_]+) = ", text, re.MULTILINE))
    once = {"from", "until"}  # said in a sentence: a window opens again and again, or once
    assert mentioned | once == {key for name, model in TABLES.items() if name for key in keys_of(model)}


def test_checks_are_matched_in_the_order_of_the_manifest() -> None:
    ids = ("sysctl-a", "sshd-b", "sysctl-c", "file-d")
    assert c.match_checks(["file-d", "sysctl-?", "sysctl-*"], ids) == ("sysctl-a", "sysctl-c", "file-d")
    assert c.match_checks(["*"], ids) == ids
    assert c.match_checks(["nothing", "file-*"], ids, required=False) == ("file-d",)


def test_every_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        c.match_checks(["sshd-c", "*", "zzz-*"], ("sshd-b", "file-d"), where="assess.toml: assessments[0].checks")
    assert caught.value.problems == (
        "assess.toml: assessments[0].checks[0]: no check matches 'sshd-c'; did you mean 'sshd-b'?",
        "assess.toml: assessments[0].checks[2]: no check matches 'zzz-*'; expected one of: file-d, sshd-b",
    )


def test_unknown_names_come_with_the_nearest_or_with_all() -> None:
    where = "assess.toml: assessments[0].plugin"
    assert (
        c.unknown_name("plugin", "host-baselin", ["host-baseline", "other"], where=where)
        == f"{where}: unknown plugin 'host-baselin'; did you mean 'host-baseline'?"
    )
    assert c.unknown_name("plugin", "x", [], where=where).endswith("unknown plugin 'x'; there are none")
    many = c.unknown_name("plugin", "x\x1b", [f"name-{n}" for n in range(20)], where=where)
    assert many.endswith("and 8 more")
    assert "\x1b" not in many


def test_a_clock_that_was_set_back_makes_no_mistake_of_what_was_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board without a battery begins in the past; it is to monitor all the same."""
    path = tmp_path / "assess.toml"
    path.write_text(GOOD + WAIVER)
    written = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    os.utime(path, (written, written))
    monkeypatch.setattr(sys.modules["assess_core.config.load"], "utc_now", lambda: datetime(2023, 1, 1, tzinfo=UTC))
    assert c.load(path).waivers[0].expires == date(2027, 3, 31)
    path.write_text(GOOD + WAIVER.replace("2027", "2030"))
    os.utime(path, (written, written))
    with pytest.raises(ConfigError, match="at most two years ahead"):
        c.load(path)  # the control: that was none either when it was written
    path.write_text(GOOD + WAIVER)
    os.utime(path, (0, 0))
    with pytest.raises(ConfigError, match="at most two years ahead"):
        c.load(path)  # of a file that says nothing of when that was, the clock decides
