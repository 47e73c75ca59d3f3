from __future__ import annotations

import dataclasses
import inspect

import pytest

from arttl.errors import ArttlError
from arttl.sources.registry import SOURCES, open_source
from arttl.sources.settings import MetadataSettings, SourceSettings


def test_an_unknown_source() -> None:
    with pytest.raises(
        ArttlError, match=r"'tables' is not known \(did you mean 'table'\?\); there are: table"
    ):
        open_source(SourceSettings(source="tables"))


def test_mappings_are_checked_against_the_source_s_own_tasks() -> None:
    with pytest.raises(ArttlError, match="there are: material, type, artist"):
        open_source(SourceSettings(source="synthetic", mapping=("subject=a.csv",)))


def test_every_source_is_described_in_the_flag_s_help() -> None:
    help_text = inspect.getsource(MetadataSettings)
    assert all(f"`{name}`" in help_text for name in SOURCES)


def test_splits_and_groups_that_a_source_does_not_have() -> None:
    for source, split in (
        ("sabatelli2018", "column=fold"),
        ("synthetic", "column=fold"),
        ("table", "official"),
    ):
        with pytest.raises(ArttlError, match=f"source '{source}' has no .*split.*; use paper, grouped"):
            open_source(SourceSettings(source=source, split=split))
    with pytest.raises(ArttlError, match="--group-column series: the source 'lido' has no columns"):
        open_source(SourceSettings(source="lido", group_column="series"))
    with pytest.raises(ArttlError, match=r"--leaf '\(' is not a regular expression"):
        SourceSettings(leaf="(").leaf_pattern()


def test_every_flag_is_described() -> None:
    lines = (inspect.getsource(MetadataSettings) + inspect.getsource(SourceSettings)).splitlines()
    for field in dataclasses.fields(SourceSettings):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"    {field.name}: "))
        assert lines[at + 1].startswith('    """'), field.name
