from __future__ import annotations

import inspect

import pytest

from arttl.errors import ArttlError
from arttl.sources.registry import SOURCES, open_source
from arttl.sources.settings import SourceSettings


def test_an_unknown_source() -> None:
    with pytest.raises(
        ArttlError, match=r"'tables' is not known \(did you mean 'table'\?\); there are: table"
    ):
        open_source(SourceSettings(source="tables"))


def test_mappings_are_checked_against_the_source_s_own_tasks() -> None:
    with pytest.raises(ArttlError, match="there are: material, type, artist"):
        open_source(SourceSettings(source="synthetic", mapping=("subject=a.csv",)))


def test_every_source_is_described_in_the_flag_s_help() -> None:
    help_text = inspect.getsource(SourceSettings)
    assert all(f"`{name}`" in help_text for name in SOURCES)
