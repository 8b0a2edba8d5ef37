"""How a runtime shows itself: logs, crash reports, health and metrics.

log.py        where records go             lines.py     a record as a line
repeats.py    what is said too often       context.py   which run a record belongs to
crash.py      reports of our own bugs      metrics.py   what Prometheus reads
endpoint.py   HTTP on a loopback address
"""
