"""What became of each item of a batch, on disk, so that a killed run can be taken up again."""

from __future__ import annotations

from ._journal import Journal, OnUnknown

__all__ = ["Journal", "OnUnknown"]
