"""Faults that a test asks for; each spoils one request."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field, frozen

from ._reply import Answer


@frozen
class Fault:
    """Spoil one request of ``command``, or of any: answer in Desk's place, or spoil Desk's own answer."""

    command: str | None = None
    answer: Answer | None = None
    delay: float = 0.0
    cut: bool = False

    def spoil(self, answer: Answer) -> Answer:
        """Return what is left of Desk's answer."""
        return evolve(answer, delay=self.delay, cut=self.cut)


@define
class Faults:
    """Keep faults in the order in which they were asked for."""

    _waiting: list[Fault] = field(factory=list[Fault])

    def add(self, fault: Fault, times: int) -> None:
        """Let a fault happen to so many requests."""
        if times < 1:
            msg = f"times must be at least 1, not {times}"
            raise ValueError(msg)
        self._waiting.extend([fault] * times)

    def clear(self) -> None:
        """Forget the faults that have not happened yet."""
        self._waiting.clear()

    def answer(self, command: str, decide: Callable[[], Answer]) -> Answer:
        """Return the answer to a request: Desk's own, or what the first fault meant for it makes of it."""
        for index, fault in enumerate(self._waiting):
            if fault.command in (None, command):
                del self._waiting[index]
                return fault.answer or fault.spoil(decide())
        return decide()
