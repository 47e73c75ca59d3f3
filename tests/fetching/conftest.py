"""Servers for the tests of downloads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from iiif_stand_in import StandIn, serving


@pytest.fixture
def museum() -> Iterator[StandIn]:
    """A IIIF server over loopback."""
    with serving() as stand_in:
        yield stand_in
