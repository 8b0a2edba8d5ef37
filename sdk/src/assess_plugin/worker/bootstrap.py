"""Started by the runtime as `<env>/bin/python -I -S -B -X faulthandler bootstrap.py FD KIT ENVIRONMENT SITE...`.

Makes the interpreter what a plugin expects of a virtualenv, without `site` and so without any `.pth` file, and serves.
The kit comes first: `assess_plugin` is the runtime's own copy, whatever the environment holds, and of the environment
nothing can be imported before the process is isolated: `serve` adds it to `sys.path` then. `sys.prefix` is set before
anything imports `sysconfig`, which would keep the base installation's.
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the plugin is loaded: a tenth of the start is collections that find nothing
    _, descriptor, kit, environment, *sites = sys.argv
    sys.argv = ["assess-worker"]
    sys.path = [kit, *sys.path]
    sys.prefix = sys.exec_prefix = environment

    from assess_plugin.worker.serve import main

    sys.exit(main(int(descriptor), sites))
