"""Every file of $ARTTL_REAL_DATA/metadata, packed with drawn pictures; the docs have a table of what each gives."""

from __future__ import annotations

import csv
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from real_file_cases import CASES, NOTHING, Case

from arttl.artworks import Artwork, sample_key
from arttl.errors import ArttlError
from arttl.packing.command import run
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import Reject, read_rejects
from arttl.sources.registry import open_source
from arttl.tasks import SPLITS

pytestmark = pytest.mark.real

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
_FEWEST = 6  # samples that the command can divide
_FIELDS = ("material", "technique", "type", "artist")
_WITH_TECHNIQUE = ("dublin-core", "edm", "lido", "linked-art")
_WITH_ATTRIBUTIONS = ("table", "lido", "linked-art", "iiif")
_WITH_IDENTIFIERS = ("dublin-core", "edm", "lido", "linked-art", "iiif")


@dataclass(frozen=True)
class Packed:
    """What a file gave.

    Attributes:
        manifest: of its shards.
        samples: the JSON of each.
        records: all that were read.
        is_named: whether its metadata name pictures.
    """

    manifest: Manifest
    samples: list[dict[str, Any]]
    records: list[Artwork | Reject]
    is_named: bool

    @property
    def rejects(self) -> dict[str, int]:
        """Reason to count."""
        return dict(Counter(reject.reason for reject in read_rejects(self.manifest.directory)))

    def with_labels(self, task: str) -> int:
        """How many samples have labels for a task."""
        return sum(task in sample["labels"] for sample in self.samples)

    def having(self, name: str) -> int:
        """How many samples have an entry."""
        return sum(bool(sample.get(name)) for sample in self.samples)


def _file_name(artwork: Artwork) -> tuple[str, bool]:
    """The file name that a photograph gets, and whether the metadata name it."""
    name = artwork.image.name
    number = artwork.object_number
    if name in (number, f"{sample_key(number)}.jpg"):
        return re.sub(r"[/:]", "_", number) + ".jpg", False
    return name, True


def _draw(path: Path, index: int) -> None:
    """A tiny picture unlike all others."""
    pixels = np.random.RandomState(index).randint(0, 256, (4, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, "JPEG", quality=90)


def _samples(folder: Path) -> list[dict[str, Any]]:
    samples = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".json"):
                    file = tar.extractfile(member)
                    assert file is not None
                    samples.append(json.loads(file.read()))
    return samples


def _pack(case: Case, metadata: Path, folder: Path) -> Packed:
    settings = case.settings(metadata, folder / "shards")
    images = folder / "images"
    images.mkdir()
    every_field = settings.replace(tasks=_FIELDS) if case.source in _WITH_TECHNIQUE else settings
    records = list(open_source(every_field))
    is_named = False
    for index, artwork in enumerate(records[:: case.step]):
        if isinstance(artwork, Artwork):
            name, of_metadata = _file_name(artwork)
            is_named |= of_metadata
            _draw(images / name, index)
    settings = settings.replace(dry_run=False, images=images, near_duplicates="off")
    reading: Iterable[Artwork | Reject] = open_source(settings)
    if case.step > 1:
        # The others have no pictures, and are left out before they are missed.
        reading = [item for item in reading if isinstance(item, Artwork)]
    if case.packed < _FEWEST:  # too few to be divided: all are for training
        reading = [replace(item, split=SPLITS[0]) if isinstance(item, Artwork) else item for item in reading]
        settings = settings.replace(split="official")
    manifest = pack(reading, settings)
    return Packed(manifest, _samples(manifest.directory), records, is_named)


@pytest.fixture(scope="module")
def packed(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Packed]:
    """Packs a file once."""
    done: dict[str, Packed] = {}

    def of(case: Case) -> Packed:
        if not (real_data / "metadata" / case.file).is_file():
            pytest.skip(f"no {case.file}")
        if case.file not in done:
            done[case.file] = _pack(case, real_data / "metadata", tmp_path_factory.mktemp("real"))
        return done[case.file]

    return of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_packed(case: Case, packed: Callable[[Case], Packed]) -> None:
    result = packed(case)
    assert len(result.samples) == len(result.manifest) == case.packed
    assert {task: result.with_labels(task) for task in result.manifest.task_names} == case.labels
    assert case.example in result.manifest.object_numbers
    assert result.rejects == case.rejects
    assert result.manifest.dataset["unlabelled"] == case.unlabelled
    assert tuple(sorted({name for name in result.manifest.institutions if name})) == case.institutions
    assert result.having("institution") == (case.packed if case.institutions else 0)
    assert result.having("identifiers") == case.identifiers
    assert result.having("attributions") == case.attributions
    assert result.having("date") == case.dates


@pytest.mark.parametrize("file", NOTHING)
def test_nothing_to_pack(file: str, real_data: Path, tmp_path: Path) -> None:
    path = real_data / "metadata" / file
    if not path.is_file():
        pytest.skip(f"no {file}")
    source, sentence = NOTHING[file]
    settings = PackSettings(source=source, metadata=path, out=tmp_path / "shards", dry_run=True)
    with pytest.raises(ArttlError, match=f"{sentence}$"):
        run(settings)


def test_no_file_is_left_out(real_data: Path) -> None:
    folder = real_data / "metadata"
    files = {path.relative_to(folder).as_posix() for path in folder.glob("*/*") if path.is_file()}
    if not files:
        pytest.skip("no real metadata")
    assert {*(case.file for case in CASES), *NOTHING} == files


def _row(case: Case, result: Packed) -> str:
    """A line of the table in the docs: of how many records each field is known."""
    artworks = [record for record in result.records if isinstance(record, Artwork)]
    labels = []
    for task in _FIELDS:
        count = sum(bool(artwork.labels.get(task)) for artwork in artworks)
        labels.append(_count(count, count > 0 or _gives(case.source, task)))
    flags = " ".join(case.flags.get("tasks", ())) if "=" in str(case.flags.get("tasks")) else ""
    cells = (
        f"`{case.source}`",
        case.name + (f", `--tasks {flags}`" if flags else ""),
        f"{len(result.records):,}",
        f"{case.number if ' ' in case.number else f'`{case.number}`'}: `{case.example}`",
        *labels,
        _count(sum(bool(artwork.attributions) for artwork in artworks), case.source in _WITH_ATTRIBUTIONS),
        _count(sum(bool(artwork.date) for artwork in artworks), case.source != "mame"),
        _count(sum(bool(artwork.institution) for artwork in artworks), case.source != "dublin-core"),
        _count(sum(bool(artwork.identifiers) for artwork in artworks), case.source in _WITH_IDENTIFIERS),
        "named" if result.is_named else "number",
    )
    return f"| {' | '.join(cells)} |"


def _count(count: int, is_given: bool) -> str:
    return f"{count:,}" if is_given else "–"


def _gives(source: str, task: str) -> bool:
    """Whether a kind of metadata can give a field without a column that the user names."""
    if source == "mame":
        return task == "material"
    return task != "technique" or source in _WITH_TECHNIQUE


def test_the_table_in_the_docs(packed: Callable[[Case], Packed]) -> None:
    lines = _DOCS.read_text(encoding="utf-8").splitlines()
    first = lines.index("|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|") + 1
    assert lines[first : first + len(CASES)] == [_row(case, packed(case)) for case in CASES]
    assert not lines[first + len(CASES)].startswith("|")


def test_the_metropolitan_museum(
    real_data: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run of its records says on 80 columns what a curator asks first."""
    path = real_data / "met-metadata" / "objects.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    monkeypatch.setenv("COLUMNS", "80")
    run(PackSettings(metadata=path, dry_run=True))
    lines = [line.rstrip() for line in capfd.readouterr().out.splitlines()]
    text = " ".join(" ".join(lines).split())
    assert "objects.csv looks like the table of the Metropolitan Museum of Art" in text
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {row["Object Number"] for row in rows}
    assert re.search(rf"^ all +{len(numbers):,} ", "\n".join(lines), re.MULTILINE)
    assert f"duplicate-row {len(rows) - len(numbers)}" in text
    assert re.search(r"material +8,844 +4 +2,180 ", text)
    assert re.search(r"Oil on canvas +1,804 ", text)
    assert "artist: 648 makers are kept as attributions (attributed to (167), workshop of (85)" in text
    assert "they may mean that nothing is known: 'French Painter' (41), 'Unidentified artist' (22)" in text
    flags_to_copy = lines.index(next(line for line in lines if line.startswith("artist: kept as labels")))
    assert max(map(len, lines[:flags_to_copy])) <= 80
