"""No secret escapes: a canary key and UserSig, looked for in all that a program shows, keeps and hands on."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any

from tests.proof.child import Ended, python
from tests.proof.leaks import Canary, contents, place, write
from tests.proof.rows import Row, Scale
from tests.proof.server import SDK_APP_ID, Chaos, chaos

SHARES = {"echo": 0.2, "bad_gateway": 0.05, "reset_after": 0.05, "garbage": 0.05, "not_json": 0.05, "code": 0.1}
CODES = [60002, 60008, 80001, 90001, 93000, 141002, 141004, 141005]


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Send at a server that echoes the request line, from a program that logs and reports all it can."""
    began = time.monotonic()
    async with chaos(scale.seed, shares=SHARES, codes=CODES) as server:
        told = (await python("-m", "tests.proof.leaks", server.url, str(scale.of(2_000, 150)))).told()
        told["places"].update(await _command_line(server))
    hits = {place: found["hits"] for place, found in told["places"].items() if found["hits"]}
    size = sum(found["bytes"] for found in told["places"].values())
    yield Row(
        promise="No secret escapes",
        size=f"{told['calls']:,} calls; {', '.join(told['places'])}",
        wanted="0 hits; each control seen",
        measured=f"{hits or 0} hits in {size / 1e6:.0f} MB; controls seen: {told['controls']} of {told['controls_of']}",
        holds=not hits and told["controls"] == told["controls_of"],
        seed=scale.seed,
        seconds=time.monotonic() - began,
    )


async def _command_line(server: Chaos) -> dict[str, Any]:
    """Return what the commands print and write, at their most talkative."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.dumps({"session": "s", "text": f"line {number}"}) for number in range(30)]
        write(f"{folder}/in.jsonl", "\n".join(lines))
        files = ["--journal", f"{folder}/journal", "--output", f"{folder}/out.jsonl"]
        commands = [
            ["batch", f"{folder}/in.jsonl", *files, "--rate", "none"],
            *[["send", "--session", "s", f"text {number}"] for number in range(4)],
            ["doctor"],
            ["usersig", "--decode", Canary.usersig],
        ]
        ended = await asyncio.gather(*[_deskim(server, *command) for command in commands])
        printed = "".join(each.out + each.err for each in ended)
        return {"command line": place(printed), "its journal and results": place(contents(folder))}


async def _deskim(server: Chaos, *arguments: str) -> Ended:
    environment = {
        "DESKIM_SDK_APP_ID": str(SDK_APP_ID),
        "DESKIM_SECRET_KEY": Canary.key,
        "DESKIM_BASE_URL": server.url,
        "DESKIM_DEBUG": "1",
    }
    return await python("-m", "deskim", *arguments, environment=environment)
