"""Measure deskim beside other clients: `python -m benchmarks --quick`, or `nox -s bench -- --quick`."""
