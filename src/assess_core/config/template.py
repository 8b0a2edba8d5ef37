"""The configuration that `assess init` writes: for a person who has never seen one, and reads it from the top.

Keys that have a default stand in a comment with it; taking away the `#` of any of them keeps the file valid.
"""

import tomli_w


def template(
    *,
    url: str,
    root: str,
    state_dir: str | None = None,
    development: bool = False,
    distribution: str = "assess-host-baseline",
    plugin: str = "host-baseline",
    provider: str = "local-host",
    assessment: str = "host",
) -> str:
    """The text of an `assess.toml` with these values, which loads without a problem if the values are valid."""
    return f"""\
# What this machine assesses, with which plugins, from where.
#
#   assess run            bring plugins up to date, assess, print what was found
#   assess sync           only install what is asked for here
#
# Relative paths are relative to this file. Unknown keys are errors. Every key: docs/configuration.md

[runtime]
# Name of this runtime in every result; the host name unless given. Changing it starts a new history.
# id = "web-01"

# What providers may select by.
# labels = {{ env = "prod", role = "web" }}

# Where plugins and results are kept; --state-dir and ASSESS_STATE_DIR outrank it.
{_state_dir(state_dir)}

# "none": where the kernel lacks the means to isolate plugins, they run with all rights of this user. Results say so.
# require_isolation = "full"

# true: isolate no plugin at all, to find a fault in one where nothing of value is. Results say so.
# run_plugins_without_isolation = false

# Calls of plugins at a time; 0: four for each processor, at least 8.
# calls = 0

# "spawn": every plugin's process begins by itself, slower, and with a memory layout of its own.
# start_workers = "fork"

# Pythons that plugins may run under besides this one, the best first. Empty: those that are found here.
# interpreters = []

# Another state directory whose installed plugins are used where they lie.
# shared_store = "/srv/assess"

# Time zone of schedules and maintenance below that name none.
# tz = "UTC"

# Seconds for which a runtime that is stopped lets its runs go on.
# stop_within_s = 60

[registry]
# Where plugins are published: https://HOST/PATH, or file:PATH for one on this machine.
{_line("url", url)}

# Its first root metadata (1.root.json), which its maintainer hands out: all that it says is held against this file.
{_line("root", root)}

# true: accept it even if it is for development, with all its keys in one hand. Every result then says so.
{_line("development", development)}

# Seconds for one whole operation on the registry.
# timeout_s = 60

# Days for which what is installed may run on without hearing of the registry.
# max_staleness_d = 30

# Seconds after which a runtime that goes on running asks again.
# refresh_s = 300

# How an https registry is reached: through this proxy, by these authorities, as whom.
# proxy = "http://proxy.example.org:3128"
# ca_file = "ca.pem"
# credentials = {{ kind = "bearer", env = "ASSESS_REGISTRY_TOKEN" }}

# One [[plugins]] for each distribution that must be installed. Nothing else runs.
[[plugins]]
{_line("name", distribution)}

# Which versions may run, as pip writes it: "~=1.2", "==1.2.0", ">=1,<2". Without it: the newest.
# version = ">=0"

# The plugin's own settings, one key each; `assess plugins show` lists them.
# settings = {{}}

# What it may do of what it asks for and was approved: all of it, or a table that narrows it, key by key.
# grant = "approved"

# Where the secrets are that it asks for: env:VARIABLE, file:/PATH or credential:NAME.
# secrets = {{}}

# true: start it even if something that it asks for is not granted.
# run_with_less = false

# Processes of it, which is how many of its calls run at a time.
# workers = 1

# A folder to use instead of the registry; assess-registry install makes one. Without a name: all plugins of it.
# dir = "plugins"

# Whose signatures count for the folder: a directory of public keys (*.pub).
# trusted_keys = "keys"

# One [[assessments]] for each thing to assess: this plugin, on the subjects that this provider finds.
[[assessments]]
{_line("id", assessment)}
{_line("plugin", plugin)}
{_line("provider", provider)}

# Handed to the provider: which subjects.
# selector = {{}}

# Check ids, or patterns with * and ?. `assess run --list-checks` lists what there is.
checks = ["*"]

# Seconds for one call of the plugin. Without it: what the plugin's manifest says.
# timeout_s = 60

# enabled = true

# When it is due: every 15m, or as cron writes it. Empty: when somebody asks. In which time zone. Up to how much later.
# schedule = "30 2 * * *"
# tz = "Europe/Berlin"
# jitter = "5m"

# When it is due while it runs: "skip", "queue" or "parallel". When it was missed: "run_once" or "skip".
# overlap = "skip"
# misfire = "run_once"

# Seconds of lateness that do not count as missed.
# grace_s = 60

# Times that what ended in an error is asked again, and after how many seconds for the first time.
# retries = 0
# retry_after_s = 30

# One [[maintenance]] for each time in which no run begins: again and again, or once.
# [[maintenance]]
# id = "patching"
# opens = "0 22 * * SAT"
# duration = "4h"
# tz = "Europe/Berlin"
# assessments = ["*"]
# when = "after"

# What is kept of earlier runs, and how long before its end a waiver is said to be expiring.
[results]
# keep_days = 400
# evidence_mib = 2048
# waiver_notice_d = 14

# One [[waivers]] for each failure that somebody knows of and answers for. It stays a failure, and is shown as waived.
# [[waivers]]
# check = "sshd-permit-root-login"
# subject = "host:web-01"
# owner = "Ada of the platform team"
# reason = "vendor appliance, replaced in March"
# expires = 2027-03-31

# What a runtime that goes on running shows of itself.
[observe]
# Loopback address and port of /healthz, /readyz and /metrics. Empty: nothing listens.
# listen = "127.0.0.1:9464"

# "json": an object on each line. log_level: "debug", "info", "warning" or "error".
# log = "text"
# log_level = "info"

# true: systemd restarts it also when its disk has not answered for a minute.
# watchdog = false
"""


def _state_dir(value: str | None) -> str:
    return '# state_dir = ".assess/state"' if value is None else _line("state_dir", value)


def _line(key: str, value: str | bool) -> str:
    return tomli_w.dumps({key: value}).rstrip("\n")
