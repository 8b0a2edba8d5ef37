"""Started by the runtime as `<python> -I -S -B -X faulthandler prepared.py CONTROL KIT NAME`: a parent for workers.

It has what every worker needs in memory, and of no worker anything: it is handed descriptors, copies itself, and the
copy learns over its own socket what it is (`siblings`). By NAME they are told from those of any other.
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # for the copies too, until their plugin is loaded: as in `bootstrap`
    _, control, kit, name = sys.argv
    sys.argv = ["assess-worker"]
    sys.path = [kit, *sys.path]

    from assess_plugin.worker.siblings import serve_starts

    sys.exit(serve_starts(int(control), name))
