"""Documents as a stranger may write them: a valid one with a random part of it spoilt."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arttl.errors import ArttlError

# What stands for a raw token is replaced in the text.
_RAW = {
    "@infinite@": "1e999",
    "@nan@": "NaN",
    "@long@": "1" * 4000,
    "@longer@": "1" * 6000,
    "@half@": r'"\ud800"',
    "@deep@": "[" * 100_000 + "]" * 100_000,
    "@deep object@": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "@unfinished@": "[",
}
_VALUES = [
    *(None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e-320, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30),
    *("", "x", "1", "\x1b[31m\r\n", "../../x", "=1+1", "é" * 1000, ".", "a.b", "\u202e"),
    *([], {}, [[]], [1], ["x"], {"a": 1}, {"": {}}, [{}], [None] * 3),
    *_RAW,
]


def malformed(document: Any, seed: int) -> str:
    """JSON in which a node is replaced, a key removed, renamed, added or repeated, or a list changed."""
    draw = random.Random(seed)
    document = json.loads(json.dumps(document))
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        places = list(_places(document))
        holder, key = draw.choice(places) if places else ([document], 0)
        act = draw.choice(["replace", "replace", "replace", "remove", "add"])
        if act == "replace":
            holder[key] = deepcopy(draw.choice(_VALUES))
        elif act == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw.choice(["more", "name", "@twice@", "\x1b]", "é"])] = deepcopy(draw.choice(_VALUES))
        else:
            holder.append(deepcopy(draw.choice([*holder, *_VALUES])))
    if draw.random() < 0.03:
        document = deepcopy(draw.choice(_VALUES))
    text = json.dumps(document)
    for raw, token in _RAW.items():
        text = text.replace(json.dumps(raw), token)
    return text.replace('"@twice@": ', '"twice": 1, "twice": ')


def spoilt(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with `seed`s, for `malformed`."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
        limited = settings(max_examples=count, deadline=5000, suppress_health_check=checks, database=None)
        return limited(given(seed=st.integers(0, 2**32))(test))

    return decorate


def refuses_or_reads(read: Callable[[], object]) -> bool:
    """Whether it is read; every other failure than one sentence fails the test."""
    try:
        read()
    except ArttlError as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < 2000, message
        message.encode()  # no half characters
        return False
    return True


def _places(node: Any) -> Any:
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _places(node[key])
