"""Deliveries that came before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from deskim.callbacks._events import Callback
from deskim.errors import MessageError


class SeenRequests:
    """Recognise repeated deliveries by their RequestID; remembers the last ``capacity`` of them."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise MessageError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._seen: OrderedDict[str, None] = OrderedDict()

    def repeats(self, callback: Callback) -> bool:
        """Tell whether a delivery came before, and remember it; one without a RequestID never did."""
        if not callback.request_id:
            return False
        if callback.request_id in self._seen:
            self._seen.move_to_end(callback.request_id)
            return True
        self._seen[callback.request_id] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return False

    def forget(self, callbacks: Iterable[Callback]) -> None:
        """Forget deliveries that were not handled, so that their repetition is."""
        for callback in callbacks:
            self._seen.pop(callback.request_id, None)
