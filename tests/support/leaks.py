"""Look for a secret in all that a failure shows."""

from __future__ import annotations

import traceback


def shown_by(error: BaseException) -> str:
    """Return all that an error, its chain and the local variables of its frames show."""
    parts = [repr(error), str(error), repr(error.args), repr(vars(error))]
    parts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    parts += [shown_by(other) for other in (error.__cause__, error.__context__) if other is not None]
    # the frame of the test itself, and those of pytest, hold the secret on purpose
    return "\n".join(part for part in parts if "/tests/" not in part and "/_pytest/" not in part)
