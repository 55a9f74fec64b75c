"""What the fields of elements and payloads take, and what they say otherwise."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import pytest

from deskim import payloads as p
from deskim._checks import instance_of, plain, shown
from deskim._codec import dump_body, dumps
from deskim._elements import CustomElem, FaceElem, ImageElem, ImageInfo, LocationElem, RawElem, SoundElem, TextElem
from deskim.errors import Delivery, MessageError


class _Float(float):
    """Stands for numpy.float64, which is a float too."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


class _Text(str):
    __slots__ = ()


class _Level(enum.IntEnum):
    HIGH = 3


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


HUGE = 10**5000
MADE: list[tuple[Any, str]] = [
    (lambda: TextElem(7), "TextElem.text must be text, not 7"),  # type: ignore[arg-type]
    (lambda: TextElem(None), "TextElem.text must be text, not None"),  # type: ignore[arg-type]
    (lambda: TextElem(b"a"), "TextElem.text must be text, not b'a'"),  # type: ignore[arg-type]
    (lambda: TextElem("a", extra=[]), "extra must be a mapping, not []"),  # type: ignore[arg-type]
    (lambda: TextElem("a", extra={1: 2}), "extra has the key 1: the keys of JSON are text"),  # type: ignore[dict-item]
    (lambda: TextElem("a", extra={"x": {"y": [Decimal(1)]}}), "extra.x.y[0] is of type Decimal, which JSON cannot say"),
    (lambda: FaceElem(index=True, data=""), "FaceElem.index must be a whole number from 0 to 2**63 - 1, not True"),
    (lambda: FaceElem(1.0, ""), "FaceElem.index must be a whole number from 0 to 2**63 - 1, not 1.0"),  # type: ignore[arg-type]
    (lambda: FaceElem(-1, ""), "FaceElem.index must be a whole number from 0 to 2**63 - 1, not -1"),
    (lambda: FaceElem(2**63, ""), "FaceElem.index must be a whole number from 0 to 2**63 - 1, not 9223372036854775808"),
    (lambda: FaceElem(HUGE, ""), "FaceElem.index must be a whole number from 0 to 2**63 - 1, not <int>"),
    (lambda: LocationElem("a", 90.1, 0), "LocationElem.latitude must be a number of degrees from -90 to 90, not 90.1"),
    (
        lambda: LocationElem("a", 0, -181),
        "LocationElem.longitude must be a number of degrees from -180 to 180, not -181",
    ),
    (
        lambda: LocationElem("a", latitude=True, longitude=0),
        "LocationElem.latitude must be a number of degrees from -90 to 90, not True",
    ),
    (lambda: LocationElem("a", float("nan"), 0), "degrees from -90 to 90, not nan"),
    (lambda: LocationElem("a", float("inf"), 0), "degrees from -90 to 90, not inf"),
    (lambda: LocationElem("a", HUGE, 0), "degrees from -90 to 90, not <int>"),
    (lambda: LocationElem("a", "1", 0), "degrees from -90 to 90, not '1'"),  # type: ignore[arg-type]
    (lambda: SoundElem(url="", uuid="", download_flag=1), "SoundElem.download_flag must be 2, not 1"),
    (lambda: SoundElem(url="", uuid="", download_flag=2.0), "SoundElem.download_flag must be 2, not 2.0"),  # type: ignore[arg-type]
    (lambda: ImageElem(uuid="", image_format=5, image_info_array=[]), "must be 1 or 2 or 3 or 4 or 255, not 5"),
    (lambda: ImageElem(uuid="", image_format=True, image_info_array=[]), "must be 1 or 2 or 3 or 4 or 255, not True"),
    (lambda: ImageElem(uuid="", image_format=1, image_info_array="abc"), "a list of ImageInfo, not 'abc'"),  # type: ignore[arg-type]
    (lambda: ImageElem(uuid="", image_format=1, image_info_array=7), "a list of ImageInfo, not 7"),  # type: ignore[arg-type]
    (lambda: ImageElem(uuid="", image_format=1, image_info_array=[1]), "made of ImageInfo, not 1"),  # type: ignore[list-item]
    (lambda: CustomElem(None), "CustomElem.data must be text, a payload such as Card, or a mapping, not None"),  # type: ignore[arg-type]
    (lambda: CustomElem({"a": float("inf")}), "data.a is inf, which JSON cannot say: give a finite number"),
    (
        lambda: CustomElem({"a": HUGE}),
        "data.a has more than 4,300 digits, which JSON cannot say: give a shorter number",
    ),
    (lambda: RawElem("", {}), "RawElem.msg_type must be the MsgType, e.g. 'TIMStreamElem', not ''"),
    (
        lambda: RawElem("TIMTextElem", {}),
        "RawElem is for kinds that deskim does not know: for TIMTextElem use TextElem",
    ),
    (lambda: RawElem("New", object()), "msg_content is of type object, which JSON cannot say"),
    (lambda: p.Card(header=7), "Card.header must be text, not 7"),  # type: ignore[arg-type]
    (lambda: p.Card("a", custom_field=[1]), "Card.custom_field must be made of CardField, not 1"),  # type: ignore[list-item]
    (lambda: p.Branch("a", 7), "Branch.items must be a list of Choice, not 7"),  # type: ignore[arg-type]
    (lambda: p.Branch("a", "bc"), "Branch.items must be a list of Choice, not 'bc'"),
    (lambda: p.Branch("a", [], selected="b"), "Branch.selected must be a Choice, not 'b'"),  # type: ignore[arg-type]
    (lambda: p.RatingSettings(8), "RatingSettings.menu_send_rule_flag must be a whole number from 0 to 7, not 8"),
    (
        lambda: p.RatingCard("a", [], "s", allow_client_send_rating=1),  # type: ignore[arg-type]
        "RatingCard.allow_client_send_rating must be True or False, not 1",
    ),
]


@pytest.mark.parametrize(("make", "text"), MADE, ids=[text for _, text in MADE])
def test_wrong_values_are_refused_by_name(make: Any, text: str) -> None:
    """Each refusal names the field, what it takes and what it got, and is known to be not sent."""
    with pytest.raises(MessageError) as caught:
        make()
    assert text in str(caught.value)
    assert Delivery.NOT_SENT is caught.value.delivery
    assert isinstance(caught.value, ValueError)


def test_subclasses_of_numbers_and_text_become_plain() -> None:
    """What derives from float, int and str is written alike by both encoders, numpy's numbers among them."""
    values: dict[Any, Any] = {_Text("k"): [_Float(0.5), _Level.HIGH, _Text("t"), True, None, OrderedDict(a=(1, 2))]}
    expected = {"k": [0.5, 3, "t", True, None, {"a": [1, 2]}]}
    assert expected == plain(values)
    assert [float, int, str, bool] == [type(v) for v in plain(values)["k"][:4]]
    assert expected == json.loads(dumps(values))
    body = dump_body([LocationElem("here", _Float(1.5), 2)])
    assert (1.5, float, int) == (
        body[0]["MsgContent"]["Latitude"],
        type(body[0]["MsgContent"]["Latitude"]),
        type(body[0]["MsgContent"]["Longitude"]),
    )


def test_plain_copies() -> None:
    """A value that was checked cannot be changed from outside."""
    mine: dict[str, Any] = {"a": [1]}
    elem = TextElem("t", extra=mine)
    mine["a"].append(2)
    assert {"a": [1]} == elem.extra


def test_nesting_has_an_end() -> None:
    """64 levels are taken, the next is refused."""
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    assert deep == plain(deep)
    with pytest.raises(MessageError, match="nested deeper than 64 levels"):
        plain([deep])


def test_a_value_at_the_top_is_called_the_value() -> None:
    """An error without a path still reads as a sentence."""
    with pytest.raises(MessageError, match=r"^the value is nan, which JSON cannot say"):
        plain(float("nan"))


def test_values_are_shown_in_short() -> None:
    """An error shows at most 60 characters of a value, and something for one that shows nothing."""
    assert "'" + "a" * 59 + "…" == shown("a" * 1000)
    assert "<_Unprintable>" == shown(_Unprintable())
    assert "<int>" == shown(HUGE)


def test_lists_become_tuples() -> None:
    """Any iterable of the right things does, and text stands for a choice."""
    info = ImageInfo(type=1, width=0, height=0, url="")
    assert (info,) == ImageElem(uuid="", image_format=1, image_info_array=iter([info])).image_info_array
    assert (p.Choice("a"), p.Choice("b", "c")) == p.Branch("h", ["a", p.Choice("b", "c")]).items
    assert (p.BotChoice("a"),) == p.WelcomeMessage(items=["a"]).items
    assert p.Card("a").custom_field is None


def test_a_class_may_be_asked_for() -> None:
    """instance_of lets its class through, in a field that may also be empty."""
    check = instance_of(p.Choice)
    assert check is not None
    assert p.Choice("a") == p.Branch("h", [], selected=p.Choice("a")).selected


def test_streamed_text_joins_its_chunks() -> None:
    """The text so far is that of all chunks."""
    assert "Hello, world" == p.StreamText(["Hello, ", "world"]).text


def test_elements_are_hashable_and_compare_by_value() -> None:
    """Elements may stand in sets, those that carry mappings too."""
    twice = [CustomElem({"a": 1}), CustomElem({"a": 1}), RawElem("New", [1]), RawElem("New", [1]), TextElem("a")]
    assert 3 == len(set(twice))
    assert 1 == len({p.Card("a", extra={"b": []}), p.Card("a", extra={"b": []})})


def test_payload_of_custom_elements() -> None:
    """What data carries is given as a payload, a mapping, or nothing for other text."""
    card = p.Card(header="a")
    assert card == CustomElem(card).payload()
    assert {"a": 1} == CustomElem({"a": 1}).payload()
    assert {"a": 1} == CustomElem('{"a": 1}').payload()
    assert CustomElem("[1]").payload() is None
    assert CustomElem("hi").payload() is None
