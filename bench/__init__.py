"""What `docs/benchmarks.md` says, measured: assess and a peer side by side in one run, as ratios beside goals.

python -m bench                     every benchmark; the document is rewritten between its markers
python -m bench roundtrip spawn     only these
python -m bench --quick             everything with few repetitions, as a smoke test; writes nothing
"""
