"""A gRPC server on a unix socket with the measured plugin behind it: JSON in, JSON out, one unary method.

    python -m bench.programs.grpc_server unix:/path/to/socket

Says `ready` when it serves, and ends with its stdin. Generic handlers with bytes: no protobuf code is in the way.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from bench.programs.bench_plugin import finding

grpc: Any = import_module("grpc")  # has no types


def answer(request: bytes, _context: object) -> bytes:
    """One finding for each check asked for."""
    asked = json.loads(request)
    results: list[dict[str, Any]] = [
        {
            "check_id": found.check_id,
            "outcome": found.outcome.value,
            "reason": found.reason,
            "expected": found.expected,
            "actual": found.actual,
            "evidence": [],
        }
        for found in map(finding, asked["checks"])
    ]
    reply = {"type": "executed", "call": asked["call"], "more": False, "results": results}
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode()


def main() -> None:
    """Serve until stdin ends."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    method = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Plugin", {"Execute": method}),))
    server.add_insecure_port(sys.argv[1])
    server.start()
    print("ready", flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
