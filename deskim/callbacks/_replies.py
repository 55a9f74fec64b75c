"""The bytes to answer with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deskim._checks import json_mapping, shown
from deskim._codec import dumps
from deskim.errors import MessageError


def acknowledge() -> bytes:
    """Return the answer that takes note of a callback (1229/68989)."""
    return _reply({})


def assign(*agent_ids: str, agent_group_id: int | None = None) -> bytes:
    """Return the answer to :class:`AssignHuman`: these agents, or somebody of this group (1229/68988).

    Raises ``MessageError`` where neither is given, and for what is no agent's id or no group's.
    """
    for agent_id in agent_ids:
        _check_id(agent_id)
    if agent_group_id is not None and type(agent_group_id) is not int:
        raise MessageError(f"agent_group_id must be a whole number, not {shown(agent_group_id)}")
    if not agent_ids and agent_group_id is None:
        raise MessageError("name at least one agent, or a group of agents")
    group = {} if agent_group_id is None else {"AgentGroupId": agent_group_id}
    return _reply({**group, **({"AgentIdList": list(agent_ids)} if agent_ids else {})})


def answer(body: Mapping[str, Any]) -> bytes:
    """Return the answer to :class:`InterfaceInvocation`: values by name, for the session's variables (1229/68990).

    Raises ``MessageError`` for what JSON cannot say.
    """
    return _reply({"Body": json_mapping(body)})


def decline(info: str = "") -> bytes:
    """Return the answer that says that a callback was not taken; ``info`` is shown to Tencent."""
    return dumps({"ActionStatus": "FAIL", "ErrorInfo": info, "ErrorCode": 1})


def _check_id(agent_id: object) -> None:
    if not isinstance(agent_id, str) or not agent_id:
        raise MessageError(f"assign takes agents' ids one by one, not {shown(agent_id)}")


def _reply(fields: Mapping[str, Any]) -> bytes:
    return dumps({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, **fields})
