"""Compare the public names with those of an earlier version, read with griffe, without importing either.

    python -m tests.api REF

griffe finds names, parameters, bases and kinds that are gone or changed. Looked for here are: a name that left its
``__all__`` or leads nowhere, and a field without a default that an attrs class newly insists on.
"""
