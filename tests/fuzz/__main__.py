"""Run one target; see the package."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import atheris

with atheris.instrument_imports(include=["deskim"]):
    from deskim import DeskError, commands
    from deskim._codec import dump_element, load_element, loads
    from deskim._elements import RawElem
    from deskim._protocol import Identity, Reply, Signature, decode, decode_reply
    from deskim._usersig import Secret

_SAMPLES: Final = Path(__file__).parents[1] / "wire"
_SIGNATURE: Final = Signature(Identity(1400000000, "administrator"), Secret("eJw-canary*signature_" * 8))
_STATUSES: Final = (200, 200, 200, 200, 204, 302, 400, 408, 429, 500, 502, 503)
_HEAD: Final = 9
"""Of a reply's fuzzed bytes: one for the status, the others for Retry-After."""
_KINDS: Final = """
    TIMTextElem TIMLocationElem TIMFaceElem TIMCustomElem TIMSoundElem TIMImageElem TIMFileElem TIMVideoFileElem Other
""".split()
_FIELDS: Final = """
    Text Desc Latitude Longitude Index Data Ext Sound Url UUID Size Second Download_Flag ImageFormat ImageInfoArray
    Type Width Height URL FileSize FileName VideoUrl VideoUUID VideoSize VideoSecond VideoFormat VideoDownloadFlag
    ThumbUrl ThumbUUID ThumbSize ThumbWidth ThumbHeight ThumbFormat ThumbDownloadFlag src content
""".split()
_COMMAND: Final = commands.GetSessionState(session_id="session")


def replies(data: bytes) -> None:
    """Decode any bytes as a reply with any status and Retry-After: an envelope, or a DeskError."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    headers = {"retry-after": data[1:_HEAD].decode("latin-1"), "content-type": "application/json"}
    content = _SIGNATURE.clean(data[_HEAD:])
    try:
        decode_reply(_COMMAND, decode(Reply(status, headers, content)))
    except DeskError as error:
        str(error)


def elements(data: bytes) -> None:
    """Load any JSON as an element: it survives, and dumps to what it was loaded from."""
    try:
        wire = loads(data[1:]) if not data or data[0] % 2 else _made_up(atheris.FuzzedDataProvider(data[1:]))
    except ValueError:
        return
    elem = load_element(wire)
    if dump_element(elem) != wire:
        raise AssertionError(f"{wire!r} came back as {dump_element(elem)!r}")
    if not isinstance(elem, RawElem):
        repr(elem)


def _made_up(source: Any) -> dict[str, Any]:
    """Return an element of a known kind, its fields right, wrong or unknown."""
    names = [source.PickValueInList(list(_FIELDS)) for _ in range(source.ConsumeIntInRange(0, 5))]
    content = {name: _value(source, 2) for name in names}
    return {"MsgType": source.PickValueInList(list(_KINDS)), "MsgContent": content}


def _value(source: Any, depth: int) -> Any:
    kind = source.ConsumeIntInRange(0, 6 if depth else 4)
    if kind == 5:
        return [_value(source, depth - 1) for _ in range(source.ConsumeIntInRange(0, 3))]
    if kind == 6:
        return {source.PickValueInList(list(_FIELDS)): _value(source, depth - 1)}
    text, number = source.ConsumeUnicodeNoSurrogates(8), source.ConsumeInt(8)
    return (text, number, number / 7, number % 2 == 0, None)[kind]


_TARGETS: Final[dict[str, Callable[[bytes], None]]] = {"replies": replies, "elements": elements}


def _corpus(target: str) -> list[bytes]:
    """Return recorded samples to start from."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(_SAMPLES.glob("*.json"))]
    texts = {json.dumps(part).encode() for sample in found for part in _parts(sample)}
    return [(b"\0".ljust(_HEAD) if target == "replies" else b"\1") + text for text in sorted(texts)]


def _parts(value: object) -> list[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *[part for each in inner for part in _parts(each) if isinstance(part, dict)]]


def main() -> None:
    """Fuzz until libFuzzer's limit."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(_corpus(name)):
            (Path(folder) / str(number)).write_bytes(text)
        atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", folder], _TARGETS[name])
        atheris.Fuzz()


main()
