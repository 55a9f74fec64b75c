"""One row of the table: a promise, the figure to reach, the figure measured."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Row:
    """Hold one figure beside the one to reach; `holds` is None where there is nothing to reach."""

    promise: str
    size: str
    wanted: str
    measured: str
    holds: bool | None
    seed: int | None = None
    seconds: float = 0.0


@frozen
class Scale:
    """Say how large the proofs are, and from which seed."""

    seed: int
    quick: bool

    def of(self, full: int, quick: int) -> int:
        """Return a size."""
        return quick if self.quick else full
