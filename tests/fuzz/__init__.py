"""Fuzz what reads bytes from outside, with atheris.

    python -m tests.fuzz replies -runs=1000000 -seed=7

Options after the target's name are libFuzzer's. It ends with a traceback where anything but a DeskError comes out.
"""
