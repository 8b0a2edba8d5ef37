"""Twenty small plugins with six dependencies each: what is installed, and asked about, again and again."""

from collections.abc import Mapping

from tests.support.wheels import WheelBuilder, demo_manifest

COUNT = 20
OWN_DEPENDENCIES = 4
"""Beside `assess-plugin` and pluggy, which every plugin has: six altogether."""

MODULES = 20
MODULE = '"""One of many."""\n\n' + "".join(
    f'def function_{number}(argument: int) -> str:\n    """Text."""\n    return f"{{argument}} {number}"\n\n\n'
    for number in range(40)
)
"""About 4 KiB, as modules are."""


def dependencies() -> Mapping[str, bytes]:
    """Filename -> bytes of the dependencies that plugins choose from: packages of twenty modules, 80 KiB each."""
    wheels = [
        WheelBuilder.dependency(
            f"bench-dependency-{number}",
            files={f"bench_dependency_{number}/{name}.py": MODULE for name in ("__init__", *_modules())},
        )
        for number in range(6)
    ]
    return {wheel.filename: wheel.build() for wheel in wheels}


def plugins(count: int) -> tuple[WheelBuilder, ...]:
    """So many plugins; each has a command of its own too, without which pipx would not take it."""
    return tuple(_plugin(number) for number in range(count))


def _plugin(number: int) -> WheelBuilder:
    module = f"bench_plugin_{number}"
    chosen = [(number + offset) % 6 for offset in range(OWN_DEPENDENCIES)]
    source = (
        "from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl\n"
        + "".join(f"import bench_dependency_{n}\n" for n in chosen)
        + """

class Plugin:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        return ActionOutput(results=tuple(CheckResult(check_id=c, outcome=Outcome.PASS) for c in input.checks))


plugin = Plugin()


def main() -> None:
    print("a plugin is not a command")
"""
    )
    return WheelBuilder(
        name=f"bench-plugin-{number}",
        files={f"{module}/__init__.py": source},
        manifest=demo_manifest([f"check-{number}"], plugin=f"bench-{number}"),
        entry_points={
            "assess.plugins": {f"bench-{number}": f"{module}:plugin"},
            "console_scripts": {f"bench-plugin-{number}": f"{module}:main"},
        },
        requires=("assess-plugin>=1.0,<2", *(f"bench-dependency-{n}>=1" for n in chosen)),
    )


def _modules() -> tuple[str, ...]:
    return tuple(f"module_{number}" for number in range(MODULES - 1))
