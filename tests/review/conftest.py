"""A small collection, and a server of it, for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import app_cases
import pytest
from PIL import Image
from review_cases import (
    RECORDS,
    Server,
    arguments,
    draw_photographs,
    serving,
    write_records,
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with suggestions, photographs, and a file beside them that nobody may read."""
    folder = tmp_path_factory.mktemp("review")
    write_records(folder / "suggestions.parquet", RECORDS)
    draw_photographs(folder / "photos", RECORDS)
    Image.new("RGB", (9, 9)).save(folder / "secret.jpg")
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the records of `app_cases`, more than a window shows, with photographs."""
    folder = tmp_path_factory.mktemp("app")
    write_records(folder / "suggestions.parquet", app_cases.RECORDS)
    draw_photographs(folder / "photos", app_cases.RECORDS)
    return folder


@pytest.fixture(scope="module")
def server(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTTL_CACHE", str(cache))
        with serving(*arguments(given, cache / "decisions.sqlite")) as running:
            yield running
