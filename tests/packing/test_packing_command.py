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
from arttl.shards.manifest import Manifest
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
    assert collection.images is not None
    Image.new("RGBA", (40, 30), (200, 100, 0, 100)).save(collection.images / "3.jpg", "PNG")
    run(collection)
    manifest = Manifest.read(collection.out)
    assert len(manifest) == 24
    assert Counter(manifest.labels("type")) == {("vase",): 12, ("bowl",): 11, None: 1}
    assert Counter(manifest.labels("material")) == {("oak", "oil"): 16, None: 8}
    out, err = capfd.readouterr()
    assert "packing 24 pictures, 1 process" in err
    assert "mapping of type: 12 labels replaced by 2 entries, 1 never found (such as 'Urn')" in out
    assert "1 artwork left out: no label for type, material" in out
    assert re.search(r"train +19 +79\.2% +1", out)
    assert re.search(r"type +23 +1 +2 +1 +0 +vase +52\.2%", out)
    assert re.search(r"material +16 +8 +2 +2 +0 +oak +100\.0%", out)
    assert "transparent parts were made white: 1 picture, such as 3.jpg" in out
    assert "Left out (rejects.csv)" in out
    assert re.search(r"missing +1\b", out)
    assert re.search(r"outside-folder +1\b", out)
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_what_a_person_should_look_at(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    assert collection.metadata is not None
    text = collection.metadata.read_text(encoding="utf-8").replace("bowl", "#N/A", 2).replace("oak", "Oak", 1)
    collection.metadata.write_text(text, encoding="utf-8")
    expected = (
        "type: kept as labels, but they may mean that nothing is known: '#N/A' (2) to make these unknown: --unknown"
        " '#N/A' material: 'oak' (15) and 'Oak' (1) differ only in letter case: --fold-case"
    )
    for dry_run in (True, False):
        run(dataclasses.replace(collection, dry_run=dry_run))
        assert expected in " ".join(capfd.readouterr().out.split())
    run(dataclasses.replace(collection, dry_run=True, unknown=("#n/a",), fold_case=True))
    out = " ".join(capfd.readouterr().out.split())
    assert "--unknown: 2 labels of type are unknown ('#n/a' 2)" in out
    assert "may mean" not in out and "differ only" not in out


def test_a_table_in_another_encoding(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    assert collection.metadata is not None
    text = collection.metadata.read_text(encoding="utf-8").replace("bowl", "bo\u00eete")
    collection.metadata.write_bytes(text.encode("cp1252"))
    with pytest.raises(
        ArttlError, match="it looks like cp1252, as which it reads 'bo\u00eete': give --encoding cp1252"
    ):
        run(collection)
    run(dataclasses.replace(collection, encoding="cp1252"))
    manifest = Manifest.read(collection.out)
    assert Counter(manifest.labels("type")) == {("vase",): 12, ("bo\u00eete",): 11, None: 1}
    assert manifest.dataset["settings"]["encoding"] == "cp1252"


def test_a_table_that_was_cut(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    assert collection.metadata is not None
    with collection.metadata.open("a", encoding="utf-8") as file:
        file.write("B.96,1.jp")
    run(dataclasses.replace(collection, dry_run=True))
    out = " ".join(capfd.readouterr().out.split())
    assert (
        "1 row has fewer cells than the header of" in out and "the last being line 29; what is lacking" in out
    )


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


def test_columns_are_guessed_and_shown(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    run(dataclasses.replace(collection, object_number=None, image=None))
    assert "columns guessed: --object-number number --image file;" in capfd.readouterr().out.replace(
        "\n", " "
    )
    assert len(Manifest.read(collection.out)) == 24


def test_a_dry_run_says_that_no_column_of_images_is_named(
    collection: PackSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    assert collection.metadata is not None
    text = collection.metadata.read_text().replace("file", "Bilddatei", 1)
    metadata = collection.metadata.with_name("other.csv")
    metadata.write_text(text)
    run(dataclasses.replace(collection, metadata=metadata, image=None, dry_run=True))
    out = " ".join(capfd.readouterr().out.split())
    assert "no picture was looked for, since no --image COLUMN is named" in out
    assert "image files missing" not in out


def test_a_leak_is_said_at_the_end(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    run(collection)
    assert "no leak: objects and pictures are each in one split only" in capfd.readouterr().out
    run(dataclasses.replace(collection, leaf="[0-9]", out=collection.out.parent / "again"))
    assert "leak: " in capfd.readouterr().out


def test_a_dry_run(collection: PackSettings, capfd: pytest.CaptureFixture[str]) -> None:
    run(dataclasses.replace(collection, dry_run=True))
    out, err = capfd.readouterr()
    assert err == ""
    assert not collection.out.exists()
    assert "mapping of type: 12 labels replaced by 2 entries" in out
    assert "1 of 25 image files missing;" in out
    assert (
        "missing, such as object 'B.98' (lost.jpg): line 27: no file in the folder is named 'lost.jpg'"
        in (" ".join(out.split()))
    )
    assert re.search(r"train +19 +79\.2% +1", out)
    assert re.search(r"vase +12 +\d+ +\d+ +\d+ +52\.2% +█+", out)
    assert "Classes of material (2; 16 samples have several)" in out
    assert "Would be left out" in out
    assert re.search(r"outside-folder +1\b", out)
    assert out.rstrip().endswith("dry run: nothing was written")
    run(dataclasses.replace(collection, dry_run=True, images=None, image=None))
    assert "without --images every picture is assumed to be present and distinct" in capfd.readouterr().out
    with pytest.raises(ArttlError, match="--max-side -1"):
        run(dataclasses.replace(collection, dry_run=True, max_side=-1))


def test_remarks_come_before_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dc.xml").write_text(
        '<all xmlns:dc="http://purl.org/dc/elements/1.1/"><record><dc:identifier>1</dc:identifier>'
        "<dc:type>bowl</dc:type><dc:format>20 x 30 cm</dc:format></record></all>",
        encoding="utf-8",
    )
    settings = PackSettings(source="dublin-core", metadata=tmp_path / "dc.xml", dry_run=True)
    with pytest.raises(ArttlError, match=r"--tasks material\) has no label"):
        run(settings.replace(tasks=("material", "type")))
    assert "left out: sizes ('20 x 30 cm')" in " ".join(capfd.readouterr().out.split())
    with pytest.raises(
        ArttlError, match=r"no artwork of .* \(1 in all\) has a label for material; name other columns"
    ):
        run(settings.replace(tasks=("material",)))
    # A dry run shows what is known of the only record.
    run(settings.replace(tasks=("type",)))
    out = " ".join(capfd.readouterr().out.split())
    assert "1 labelled artwork is too few for --split paper, which needs 6" in out
    assert "train 1 100.0% 1 val 0 0.0% 0 test 0 0.0% 0 all 1 1" in out and "bowl 1 1 0 0 100.0%" in out


def test_the_challenge_beside_the_paper(
    tmp_path: Path, soft_picture: Callable[..., Image.Image], capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("jpg2", "xml"):
        (tmp_path / name).mkdir()
    for index in range(40):
        stem = f"{index:07d}_RP-P-{index}"
        soft_picture(30, 30, seed=index).save(tmp_path / "jpg2" / f"{stem}.jpg")
        material = "<dc:format>materiaal: papier</dc:format>" if index < 39 else ""
        fields = f"<dc:type>{'prent' if index else 'kaart'}</dc:type>{material}"
        text = f'<record xmlns:dc="http://purl.org/dc/elements/1.1/">{fields}</record>'
        (tmp_path / "xml" / f"{stem}.xml").write_text(text)
    settings = PackSettings(
        source="rijks2014",
        metadata=tmp_path / "xml",
        images=tmp_path / "jpg2",
        tasks=("material=dc:format[materiaal]", "type=dc:type"),
        out=tmp_path / "shards",
        workers=1,
    )
    for dry in (True, False):
        run(dataclasses.replace(settings, dry_run=dry))
        out = capfd.readouterr().out
        assert "The collection beside the paper's" in out
        assert re.search(r"material +images +39 +39 +0 +110,668", out)
        assert re.search(r"type +images +40 +39 +0 +112,012", out)
        assert re.search(r"classes +2 +1 +0 +1,054", out)


@pytest.mark.real
def test_the_met_s_media_and_thirty_materials(real_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mapping = Path(__file__).resolve().parents[2] / "docs" / "examples" / "met-materials.csv"
    run(
        PackSettings(
            metadata=real_data / "met-metadata" / "objects.csv",
            object_number="Object Number",
            tasks=("material=Medium", "type=Object Name"),
            mapping=(f"material={mapping}",),
            split="stratified",
            out=Path("never"),
            dry_run=True,
        )
    )
    out = capfd.readouterr().out.replace("\n", " ")
    assert "material 2,189 to 33, type 1,120 to 1,103" in out
    assert "mapping of material: 8,863 labels replaced by 2,180 entries" in out
    assert "stay as they are" not in out and "never found" not in out
    assert re.search(r"material +8,793 +55 +33 +33 +0 +oil on canvas", out)
    assert not Path("never").exists()


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


def test_a_default_task_that_no_record_has_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a task that was named is missed; of the source's own or guessed ones many collections lack one."""
    table = tmp_path / "objects.csv"
    table.write_text("\n".join(["number,type,material", *(f"A{index},vase," for index in range(12))]))
    settings = PackSettings(metadata=table, out=tmp_path / "out", dry_run=True)
    run(settings)
    printed = " ".join(capsys.readouterr().out.split())
    assert "no record has a label for material, which is left out" in printed
    with pytest.raises(ArttlError, match=r"column 'material' .* has no label in any usable row"):
        run(settings.replace(tasks=("type", "material")))


def test_what_was_passed_over_is_printed_before_an_error_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "a.xml").write_text("<html/>")
    settings = PackSettings(source="lido", metadata=tmp_path / "records", out=tmp_path / "out", dry_run=True)
    with pytest.raises(ArttlError):
        run(settings)
    assert "passed over: files without LIDO records (a.xml)" in capsys.readouterr().out
