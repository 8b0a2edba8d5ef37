"""A plugin that, while it is imported, says in its worker's place that it is loaded - and then a bit more."""

import gc
import json
import signal

from assess_plugin.wire import Channel

_body = json.dumps({"type": "executed", "call": 1, "results": [], "more": False}).encode()
_channel = next(found for found in gc.get_objects() if isinstance(found, Channel))
_channel._sock.sendall(len(_body).to_bytes(4, "big") + _body)
signal.pause()
