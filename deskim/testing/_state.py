"""What Desk keeps between two requests: its sessions, and which messages it has taken already."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable

from attrs import define, field

from ._conversations import Conversations
from ._ledger import ReceivedRequest, SeenMessage
from ._reply import Refused
from ._streams import SeenStream


@define
class Sessions:
    """Know which sessions exist: all of them, or those that were named, but for those that have ended."""

    named: set[str] | None
    ended: set[str] = field(factory=set[str])

    @classmethod
    def of(cls, session_ids: Iterable[str] | None) -> Sessions:
        """Return the sessions of these ids; ``None`` stands for every id there is."""
        return cls(None if session_ids is None else set(session_ids))

    def begin(self, session_id: str) -> None:
        """Let a session exist."""
        self.ended.discard(session_id)
        if self.named is not None:
            self.named.add(session_id)

    def end(self, session_id: str) -> None:
        """Let a session be over."""
        self.ended.add(session_id)

    def check(self, session_id: str) -> None:
        """Refuse a session that does not exist or has ended (1229/68821)."""
        if session_id in self.ended or (self.named is not None and session_id not in self.named):
            raise Refused(141005, "the session does not exist or has ended")


@define
class Recent:
    """Recognise what comes twice within ``window`` seconds; 0 or ``None`` recognises nothing."""

    window: float | None
    _since: OrderedDict[Hashable, float] = field(factory=OrderedDict[Hashable, float])

    def repeats(self, key: Hashable, now: float) -> bool:
        """Tell whether a key came before, within the window; remember it if not."""
        if not self.window:
            return False
        self._forget(now - self.window)
        if key in self._since:
            return True
        self._since[key] = now
        return False

    def _forget(self, until: float) -> None:
        while self._since and next(iter(self._since.values())) <= until:
            self._since.popitem(last=False)


@define
class Quota:
    """Count the calls of the last second; what is refused does not count."""

    _times: deque[float] = field(factory=deque[float])

    def take(self, now: float, per_second: float | None) -> None:
        """Refuse a call over the quota (679/131708)."""
        while self._times and self._times[0] <= now - 1:
            self._times.popleft()
        if per_second is not None and len(self._times) + 1 > per_second:
            raise Refused(60011, "this SDKAppID calls too often")
        self._times.append(now)


@define
class DeskState:
    """Hold all of it, and the ledger."""

    sessions: Sessions
    recent: Recent
    conversations: Conversations
    quota: Quota = field(factory=Quota)
    requests: list[ReceivedRequest] = field(factory=list[ReceivedRequest])
    messages: list[SeenMessage] = field(factory=list[SeenMessage])
    streams: list[SeenStream] = field(factory=list[SeenStream])
