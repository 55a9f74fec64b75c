"""Every promise of the page on reliability, shown against a server that misbehaves in a process of its own.

    python -m tests.proof [--quick] [--seed N] [--only lost,outage] [--write docs/explanation/reliability.inc]

Each module shows one promise: it returns rows of a table, with the figure to reach beside the figure measured.
"""
