from __future__ import annotations

import dataclasses
import inspect
import re

import pytest

from arttl.errors import ArttlError
from arttl.sources.registry import _READ_BY, SOURCES, open_source
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
    with pytest.raises(ArttlError, match=r"--leaf '\(' is not a regular expression"):
        SourceSettings(leaf="(").leaf_pattern()


@pytest.mark.parametrize(
    ("source", "flag", "value", "readers"),
    [
        ("lido", "group_column", "series", "table, webdataset"),
        ("lido", "label_separator", ";", "table, dublin-core, edm, iiif"),
        ("table", "language", "en", "dublin-core, edm, lido, linked-art, iiif"),
        ("linked-art", "all_canvases", True, "iiif"),
        ("iiif", "encoding", "cp1252", "table, mame, sabatelli2018"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(source: str, flag: str, value: object, readers: str) -> None:
    name = "--" + flag.replace("_", "-")
    with pytest.raises(ArttlError, match=f"^{name} is for --source {readers}; {source} does not read it"):
        open_source(SourceSettings.of(source=source, **{flag: value}))


def test_the_help_of_a_flag_names_the_sources_that_read_it() -> None:
    lines = (inspect.getsource(MetadataSettings) + inspect.getsource(SourceSettings)).splitlines()
    for name, readers in _READ_BY.items():
        start = next(number for number, line in enumerate(lines) if line.startswith(f"    {name}: "))
        end = next(number for number in range(start + 1, len(lines)) if lines[number].endswith('"""'))
        named = set(re.findall("`([^`]+)`", " ".join(lines[start : end + 1])))
        assert named & SOURCES.keys() == set(readers), name


def test_every_flag_is_described() -> None:
    lines = (inspect.getsource(MetadataSettings) + inspect.getsource(SourceSettings)).splitlines()
    for field in dataclasses.fields(SourceSettings):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"    {field.name}: "))
        assert lines[at + 1].startswith('    """'), field.name
