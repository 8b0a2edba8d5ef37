"""Each plugin: whether it is there as it was audited, may run, starts, and is the newest."""

from collections.abc import Iterator

from packaging.version import Version

from assess_core.config import PluginConfig
from assess_core.delivery.folders import entry_of
from assess_core.delivery.keeping import waiting_growth
from assess_core.delivery.values import fits
from assess_core.doctor import trying
from assess_core.doctor.unseen import unseen
from assess_core.doctor.values import Line
from assess_core.errors import AssessError, PluginFault
from assess_core.host.quarantine import Quarantine
from assess_core.runtime import Runtime
from assess_core.store import DamagedError, InstalledPlugin
from assess_core.store.differences import describe_differences
from assess_registry.client import ProjectName, RegistryError

SYNC = "run `assess sync`"
OF_THIS_MACHINE = "nothing of the plugin had run: put right on this machine what that names; then again"


def lines(runtime: Runtime) -> Iterator[Line]:
    """What serves or should, in the order of the configuration."""
    names = runtime.store.distributions()
    for entry in runtime.config.plugins:
        found = [name for name in names if entry_of(runtime.config, name) is entry]
        if not found:
            yield Line(topic=str(entry.name or entry.dir), state="fail", text="is not installed", fix=SYNC)
        for name in found:
            try:
                yield from _plugin(name, entry, runtime)
            except Exception as error:  # of one, whatever it is: the others are looked at all the same
                yield unseen(name, error)


def _plugin(name: ProjectName, entry: PluginConfig, runtime: Runtime) -> Iterator[Line]:
    problem = _unfit(name, entry, runtime)
    if problem is not None:
        yield problem
    try:
        record = runtime.store.pointed(name)
    except DamagedError:
        return  # said
    if record is None:
        return
    plugin = record.plugin
    if problem is None:
        yield from _started(plugin, runtime)
    yield from _chosen(plugin, runtime)
    if problem is None and entry.dir is None:
        yield from _outdated(plugin, entry, runtime)


def _unfit(name: ProjectName, entry: PluginConfig, runtime: Runtime) -> Line | None:
    """Why it is not even started."""

    def fail(text: str, fix: str) -> Line:
        return Line(topic=name, state="fail", text=text, fix=fix)

    try:
        record = runtime.store.pointed(name)
    except DamagedError as error:
        return fail(str(error), SYNC)
    if record is None:
        return fail("is not installed", SYNC)
    plugin = record.plugin
    if unfit := runtime.interpreters.unfit(plugin.interpreter):
        fix = f"install that Python again, or put it right; or {SYNC}, which takes another one if its lock serves one"
        return fail(unfit, fix)
    if not plugin.environment.is_dir():
        return fail(f"its environment {plugin.environment} is gone", SYNC)
    if differences := runtime.store.check_untouched(plugin):
        fix = f"find out who did: `assess plugins verify` shows everything that differs; {SYNC} to have it built again"
        return fail(f"was changed since it was installed: {describe_differences(differences)}", fix)
    if (refusal := runtime.vouching.known_refusal_of(plugin)) is not None:
        return fail(f"{plugin.version} may not run any more: {refusal.what}", refusal.next_step or SYNC)
    if not fits(entry, plugin):
        return fail(f"{plugin.version} is installed, and {entry.version} is asked for", SYNC)
    return _quarantined(plugin, runtime)


def _quarantined(plugin: InstalledPlugin, runtime: Runtime) -> Line | None:
    """Why nothing of it is started; None when it is."""
    name = plugin.distribution
    kept = runtime.quarantines.of(name)
    if kept is None or kept.env_key != plugin.env_key:
        return None
    last = f", the last time: {kept.deaths[-1].message}" if kept.deaths else ""
    died = f"it died {len(kept.deaths)} times{last}"
    text = f"{plugin.version} is in quarantine since {kept.since:%Y-%m-%d %H:%M} UTC: {died}"
    fix = f"tell its publisher; to have it tried again: assess plugins resume {name}"
    if runtime.store.trials.holds(plugin.env_key):
        fix = f"{SYNC}, which goes back to the version before, as it never answered; {fix}"
    return Line(topic=name, state="fail", text=text, fix=fix)


def _started(plugin: InstalledPlugin, runtime: Runtime) -> Iterator[Line]:
    fix = "grant it what it needs, or correct its settings; then again"
    try:
        problems = trying.try_start(plugin, runtime)
    except PluginFault as fault:
        problems = (str(fault),)
        fix = OF_THIS_MACHINE if fault.phase == "start" else f"{fault.hint or 'correct its settings'}; then again"
    except (AssessError, OSError) as error:
        problems = (str(error),)
        fix = OF_THIS_MACHINE
    for problem in problems:
        yield Line(topic=plugin.distribution, state="fail", text=problem, fix=fix)
    if not problems:
        development = ", of a development registry" if plugin.development else ""
        under = f"under Python {plugin.interpreter.version}"
        text = f"{plugin.version} starts and loads {under}{development}"
        yield Line(topic=plugin.distribution, state="ok", text=text)
        if change := runtime.interpreters.change(plugin.interpreter):
            yield Line(topic=plugin.distribution, state="warn", text=change, fix=f"{SYNC}: it builds another one")


def _chosen(plugin: InstalledPlugin, runtime: Runtime) -> Iterator[Line]:
    """What keeps it from being the newest version."""
    name = plugin.distribution

    def warn(text: str, fix: str) -> Line:
        return Line(topic=name, state="warn", text=text, fix=fix)

    if damage := runtime.quarantines.damage(name):
        text = f"whether it was in quarantine is lost, and nothing holds it: {damage}"
        yield warn(text, f"to have that file removed: assess plugins resume {name}")
    choices = runtime.store.choices(name)
    if choices.pin is not None:
        fix = f"to let it follow the registry again: assess plugins pin {name} --none"
        yield warn(f"pinned to {choices.pin.version} by {choices.pin.by} ({choices.pin.why})", fix)
    again = f"tell its publisher; to have it tried again: assess plugins resume {name}"
    held = [failure for failure in runtime.held(name) if failure.sha256 != plugin.sha256]
    for failure in held:
        yield warn(f"{failure.version} failed here, and is held back: {failure.reason}", again)
    kept = _newer_in_quarantine(plugin, runtime)
    if kept is not None and kept.sha256 not in {failure.sha256 for failure in held}:
        since = f"{kept.since:%Y-%m-%d %H:%M} UTC"
        yield warn(f"{kept.version} is in quarantine since {since}, and is not brought up", again)
    growth = waiting_growth(name, runtime.store.consents(name))
    if growth is not None:
        yield warn(f"{growth.version} waits for consent: {'; '.join(growth.words)}", growth.command)


def _newer_in_quarantine(plugin: InstalledPlugin, runtime: Runtime) -> Quarantine | None:
    """What would serve in its place, but for that."""
    kept = runtime.quarantines.of(plugin.distribution)
    if kept is None or kept.env_key == plugin.env_key or runtime.store.read_record(kept.env_key) is None:
        return None
    return kept if Version(kept.version) > Version(plugin.version) else None


def _outdated(plugin: InstalledPlugin, entry: PluginConfig, runtime: Runtime) -> Iterator[Line]:
    """Whether the registry has a newer one, and nothing that was said already keeps it from being installed."""
    name, choices = plugin.distribution, runtime.store.choices(plugin.distribution)
    waiting = runtime.store.consents(name).waiting
    try:
        newest = runtime.vouching.newest(entry, runtime.interpreters)
    except (AssessError, RegistryError) as error:
        text = f"it is not known whether there is a newer one: {str(error).splitlines()[0]}"
        yield Line(topic=name, state="warn", text=text, fix=SYNC)
        return
    kept = _newer_in_quarantine(plugin, runtime)
    known = {each.version for each in (waiting, kept, *runtime.held(name)) if each is not None}
    if Version(newest) > Version(plugin.version) and newest not in known and choices.pin is None:
        text = f"{newest} is in the registry, {plugin.version} is installed"
        yield Line(topic=name, state="warn", text=text, fix=SYNC)
