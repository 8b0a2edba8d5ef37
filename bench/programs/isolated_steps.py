"""Isolates itself as its first line of input says, or does not, and says how long each step took, in seconds.

python -I -S -B isolated_steps.py KIT DIRECTORY    <- {"profile": {...} | null, "opens": 20000}
"""

# pathlib is not among the modules that a worker has loaded
# ruff: noqa: PTH123
import json
import os
import sys
from time import perf_counter

kit, directory = sys.argv[1:]
sys.path.insert(0, kit)
os.chdir(directory)  # the scratch directory, as for a worker
given = json.loads(sys.stdin.readline())

took: dict[str, float] = {}


def timed(name: str, started: float) -> None:
    """Since then."""
    took[name] = perf_counter() - started


if given["profile"] is not None:
    import assess_plugin.wire  # noqa: F401  a worker has it already, with all that it imports

    started = perf_counter()
    from assess_plugin.worker.isolate import isolate
    from assess_plugin.worker.selfcheck import selfcheck

    timed("import", started)
    started = perf_counter()
    isolate(given["profile"])
    timed("isolate", started)
    started = perf_counter()
    selfcheck(given["profile"])
    timed("selfcheck", started)

with open("file", "w") as file:
    file.write("x" * 1024)
started = perf_counter()
for _ in range(given["opens"]):
    descriptor = os.open("file", os.O_RDONLY)
    os.read(descriptor, 4096)
    os.close(descriptor)
timed("opens", started)
started = perf_counter()
for _ in range(given["opens"]):
    os.getppid()
timed("asks", started)
print(json.dumps(took), flush=True)
sys.stdin.read()  # until it was looked at
