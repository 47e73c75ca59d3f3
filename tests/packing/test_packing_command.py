from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from arttl.errors import ArttlError
from arttl.packing.command import PackSettings, run
from arttl.packing.manifest import Manifest
from arttl.sources import synthetic


@pytest.fixture
def collection(tmp_path: Path, soft_picture: Callable[..., Image.Image]) -> PackSettings:
    """A table of 24 objects, with its pictures."""
    folder = tmp_path / "images"
    folder.mkdir()
    with (tmp_path / "objects.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "file", "what", "made of"])
        for index in range(24):
            soft_picture(40, 30, seed=index).save(folder / f"{index}.jpg")
            what = ("Vase", "bowl")[index % 2] if index != 5 else ""
            writer.writerow([f"B.{index}", f"{index}.jpg", what, "oak|oil" if index % 3 else ""])
        writer.writerow(["B.99", "../secret.jpg", "bowl", ""])
        writer.writerow(["B.98", "lost.jpg", "bowl", ""])
        writer.writerow(["B.97", "0.jpg", "", " "])
    (tmp_path / "types.csv").write_text("found,wanted\nVase,vase\nUrn,vase\n", encoding="utf-8")
    return PackSettings(
        metadata=tmp_path / "objects.csv",
        images=folder,
        object_number="number",
        image="file",
        tasks=("type=what", "material=made of"),
        label_separator="|",
        mapping=(f"type={tmp_path / 'types.csv'}",),
        out=tmp_path / "shards",
        workers=1,
    )


def test_a_table_to_shards_and_tables(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    run(collection)
    manifest = Manifest.read(collection.out)
    assert len(manifest) == 24
    assert Counter(manifest.labels("type")) == {("vase",): 12, ("bowl",): 11, None: 1}
    assert Counter(manifest.labels("material")) == {("oak", "oil"): 16, None: 8}
    out, err = capfd.readouterr()
    assert "packing 25 pictures, 1 process(es)" in err
    assert "mapping of type: 12 labels replaced by 2 entries, 1 never found (such as 'Urn')" in out
    assert "1 artwork(s) left out: no label for type, material" in out
    assert re.search(r"train +19 +79\.2% +1", out)
    assert re.search(r"type +23 +1 +2 +2 +0 +vase +52\.2%", out)
    assert re.search(r"material +16 +8 +2 +2 +0 +oak +100\.0%", out)
    assert "Left out (rejects.csv)" in out
    assert re.search(r"missing +1\b", out)
    assert re.search(r"outside-folder +1\b", out)
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_a_drawn_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "synthetic_artworks", partial(synthetic.synthetic_artworks, count=30))
    run(PackSettings(source="synthetic", images=tmp_path / "drawn", out=tmp_path / "shards", workers=1))
    manifest = Manifest.read(tmp_path / "shards")
    assert manifest.task_names == ("material", "type", "artist")
    assert len(manifest) + manifest.dataset["unlabelled"] == 30


def test_bad_input_is_one_sentence(collection: PackSettings) -> None:
    for changes, sentence in (
        (
            {"tasks": ("type=wat",)},
            r"no column 'wat' \(--tasks type\) \(did you mean 'what'\?\); it has: number, file",
        ),
        ({"image": "picture"}, r"no column 'picture' \(--image\)"),
        ({"source": "tabel"}, r"--source 'tabel' is not known \(did you mean 'table'\?\)"),
        ({"metadata": Path("none.csv")}, r"--metadata none\.csv does not exist"),
        ({"images": Path("none")}, "--images none is not a folder"),
    ):
        with pytest.raises(ArttlError, match=sentence):
            run(dataclasses.replace(collection, **changes))
        assert not collection.out.exists()


@pytest.mark.real
def test_the_gallery(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "gallery"
    settings = PackSettings(
        metadata=folder / "objects.csv",
        images=folder / "images",
        object_number="object_number",
        image="file",
        tasks=("type", "subject"),
        out=tmp_path / "gallery",
        workers=1,
    )
    run(settings)
    manifest = Manifest.read(settings.out)
    assert Counter(manifest.splits) == {"train": 963, "val": 120, "test": 121}
    with (folder / "objects.csv").open(encoding="utf-8") as file:
        rows = {row["object_number"]: row for row in csv.DictReader(file)}
    for number, type_, subject in zip(
        manifest.object_numbers, manifest.labels("type"), manifest.labels("subject"), strict=True
    ):
        assert (type_, subject) == ((rows[number]["type"],), (rows[number]["subject"],))
    assert len(set(manifest.keys)) == 1204
    assert manifest.dataset["rejected"] == {}


@pytest.mark.real
def test_the_paintings(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "paintings"
    settings = PackSettings(
        metadata=folder / "objects.csv",
        images=folder / "images",
        object_number="object_number",
        image="file",
        tasks=("artist", "material"),
        mapping=(f"artist={folder / 'synonyms.csv'}",),
        provenance="source",
        date="year",
        out=tmp_path / "paintings",
        workers=1,
    )
    run(settings)
    manifest = Manifest.read(settings.out)
    assert len(manifest) == 365
    artists = Counter(labels[0] for labels in manifest.labels("artist") if labels)
    assert artists["Rembrandt"] > 50
    assert artists["Claude Monet"] > 50
    assert {"monet", "rembrandt"}.isdisjoint(artists)
    assert Counter(manifest.labels("material"))["Oil on canvas",] == 152
    assert manifest.labels("material").count(None) == 180
