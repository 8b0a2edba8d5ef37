"""Every module below a directory has bytecode that is never compared with its source again.

Unchecked-hash bytecode (PEP 552) holds no time stamp, so it stays valid in every environment it is linked into, and
its bytes do not depend on where the store lies: the path recorded in it is relative, and importing replaces it by the
real one. Modules that do not compile (templates, Python 2 test data) have none, as with pip.

This file imports only the standard library, because another interpreter runs it as a program:

    python3.13 -I -S bytecode.py DIRECTORY        prints one JSON list: the paths written, relative to DIRECTORY
"""

import json
import os
import py_compile
import subprocess
import sys
import warnings
from pathlib import Path

BYTECODE_MODE = 0o444

_TIMEOUT_S = 600.0


def compile_tree(top: Path) -> list[str]:
    """Bytecode of this interpreter for all modules below `top`, read-only; returns the paths written, relative.

    Raises:
        OSError: there is no room.
        FileExistsError: bytecode was there before; it would run instead of the source that was inspected.
    """
    written = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `SyntaxWarning`s of other people's code
        for directory, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                if name.endswith(".py"):
                    written += _compile(top, Path(directory, name))
    return written


def compile_with(executable: Path, top: Path) -> list[str]:
    """The same with bytecode of another interpreter, by running it.

    Raises:
        subprocess.SubprocessError: it failed or took more than ten minutes.
        OSError: it cannot be run.
    """
    done = subprocess.run(
        [executable, "-I", "-S", "-B", __file__, top], capture_output=True, timeout=_TIMEOUT_S, check=True
    )
    return [str(path) for path in json.loads(done.stdout)]


def _compile(top: Path, source: Path) -> list[str]:
    # Not `cache_from_source`: that obeys PYTHONPYCACHEPREFIX, and the bytecode belongs beside the source.
    target = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    if target.exists():
        raise FileExistsError(f"{target}: bytecode was there before it was compiled")
    relative = source.relative_to(top).as_posix()
    target.parent.mkdir(mode=0o700, exist_ok=True)  # py_compile would leave its mode to the umask
    try:
        py_compile.compile(
            str(source),
            cfile=str(target),
            dfile=relative,
            doraise=True,
            optimize=0,  # as the name of the file says, also when the runtime itself runs under -O
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except (
        py_compile.PyCompileError,
        RecursionError,
        MemoryError,
    ):  # the last two: nested beyond the compiler's limits
        return []
    target.chmod(BYTECODE_MODE)
    return [target.relative_to(top).as_posix()]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(compile_tree(Path(sys.argv[1]))))
