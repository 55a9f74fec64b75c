"""Which process this is and whose event loop runs, told without a system call.

``os.getpid`` and ``asyncio.get_running_loop``, which asks for the process id each time, cost more than the rest of a
message's way through here where system calls are slow, as in many virtual machines.
"""

from __future__ import annotations

import asyncio
import os
from threading import get_ident

from attrs import define, field


@define
class _Forks:
    count: int = 0

    def add(self) -> None:
        """Count a fork, in the child."""
        self.count += 1


forks = _Forks()
"""How many forks lie between this process and the one that imported deskim."""
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=forks.add)


@define
class Home:
    """Remember an event loop, and the thread and process in which it runs."""

    loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop)
    _thread: int = field(factory=get_ident)
    _forks: int = field(factory=lambda: forks.count)

    @property
    def is_here(self) -> bool:
        """Tell whether this code runs in it: a thread runs one loop at a time."""
        return self.loop.is_running() and self._thread == get_ident() and self._forks == forks.count

    @property
    def is_of_this_process(self) -> bool:
        """Tell whether the process was not forked since."""
        return self._forks == forks.count
