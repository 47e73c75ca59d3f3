"""`arttl vocabulary`: the pairs of labels and addresses in shards, against those that were packed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arttl.artworks import Artwork
from arttl.cli import run_command
from arttl.errors import ArttlError
from arttl.labelling.rules import LabelRules
from arttl.packing.pack import pack
from arttl.packing.settings import PackSettings
from arttl.shards.manifest import Manifest
from arttl.vocabularies.collect import Collected
from arttl.vocabularies.table import Vocabularies

_AAT = "http://vocab.getty.edu/aat/"
# By label of `make_artworks`; the spelling of an address differs from object to object.
_TYPES = {
    "vase": (f"{_AAT}300132254",),
    "bowl": (f"{_AAT}300203596", "http://www.wikidata.org/entity/Q153988"),
}


@pytest.fixture
def shards(tmp_path: Path, make_artworks: Callable[..., list[Artwork]]) -> Path:
    """24 objects: types with addresses, two AAT concepts for wood, one value that a rule renames and one it drops."""
    artworks = []
    for index, artwork in enumerate(make_artworks(24)):
        (name,) = artwork.labels["type"]
        types = tuple(
            each.replace("vocab.getty.edu/", "vocab.getty.edu/page/") if index < 6 else each
            for each in _TYPES.get(name, ())
        )
        identifiers = {"type": {name: types}} if types else {}
        labels = dict(artwork.labels)
        if "wood" in labels.get("material", ()):
            concept = "300011914" if index % 8 == 1 else "300011915"
            identifiers["material"] = {
                "wood": (_AAT + concept,),
                "oil": ("no address",),
                "gilding": ("aat:1",),
            }
        if index == 0:
            labels["material"], identifiers["material"] = ("Marmor",), {"Marmor": (f"{_AAT}300011443",)}
        artworks.append(replace(artwork, labels=labels, identifiers=identifiers))
    rules = LabelRules({"material": {"Marmor": "marble"}})
    out = tmp_path / "shards"
    packed = rules.apply(iter(artworks))
    pack(packed, PackSettings(out=out, images=tmp_path / "images", workers=1, shard_size=7))
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_per_label_and_concept(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "vocabulary.csv"
    assert run_command("vocabulary", ["--shards", str(shards), "--out", str(out)]) == 0
    rows = [
        (row["task"], row["label"], row["uri"], row["scheme"], row["samples"], row["remark"])
        for row in _rows(out)
    ]
    none, several = "no identifier in the data", "one of 2 concepts of AAT: keep one"
    assert rows == [
        ("material", "oil", "", "", "6", none),
        ("material", "stone", "", "", "6", none),
        ("material", "wood", f"{_AAT}300011914", "AAT", "3", several),
        ("material", "wood", f"{_AAT}300011915", "AAT", "3", several),
        ("material", "marble", f"{_AAT}300011443", "AAT", "1", ""),
        ("type", "bowl", f"{_AAT}300203596", "AAT", "8", ""),
        ("type", "bowl", "http://www.wikidata.org/entity/Q153988", "Wikidata", "8", ""),
        ("type", "coin", "", "", "8", none),
        ("type", "vase", f"{_AAT}300132254", "AAT", "8", ""),
    ]
    printed = " ".join(capsys.readouterr().out.split())
    assert "material 4 2 1" in printed and "type 3 2 0" in printed
    assert "6 identifiers are of values that are no label any more" in printed
    assert "6 identifiers are no addresses: left out ('no address')" in printed
    assert "1 label has several concepts of AAT: delete all rows but one" in printed
    assert "from 24 samples" in printed

    # As it is, it is refused; with the choice made it is read.
    with pytest.raises(ArttlError, match="give the material 'wood' two concepts of AAT"):
        Vocabularies.read(out)
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    out.write_text("".join(line for line in lines if "300011915" not in line), encoding="utf-8")
    read = Vocabularies.read(out)
    assert [concept.uri for concept in read.identifiers("material", "wood")] == [f"{_AAT}300011914"]
    assert [concept.scheme for concept in read.identifiers("type", "bowl")] == ["AAT", "Wikidata"]
    assert read.without_uri == 3


def test_some_tasks_of_several_folders(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "types.csv"
    assert (
        run_command(
            "vocabulary", ["--shards", str(shards), str(shards), "--tasks", "type", "--out", str(out)]
        )
        == 0
    )
    assert [(row["label"], row["samples"]) for row in _rows(out)] == [
        ("bowl", "16"),
        ("bowl", "16"),
        ("coin", "16"),
        ("vase", "16"),
    ]


def test_what_is_refused(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reviewed = tmp_path / "reviewed.csv"
    reviewed.write_text("task,label,uri\n")
    for flags, sentence in (
        (["--out", str(reviewed)], "exists, and may have been reviewed; name another"),
        (["--out", str(tmp_path / "a.tsv")], "must end in .csv"),
        (["--out", str(tmp_path / "a.csv"), "--tasks", "typ"], "no task 'typ' (did you mean 'type'?)"),
    ):
        assert run_command("vocabulary", ["--shards", str(shards), *flags]) == 2
        assert sentence in capsys.readouterr().err
    assert reviewed.read_text() == "task,label,uri\n"
    assert run_command("vocabulary", ["--shards", str(tmp_path), "--out", str(tmp_path / "a.csv")]) == 2
    error = capsys.readouterr().err
    assert (
        "is not a finished folder of shards" in error and "give one that arttl shards has made, or" in error
    )


def test_a_sample_whose_json_is_damaged(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tar = shards / "train-00000.tar"
    data = tar.read_bytes()
    tar.write_bytes(data.replace(b'"labels": {', b'"labels": [', 1))
    assert run_command("vocabulary", ["--shards", str(shards), "--out", str(tmp_path / "a.csv")]) == 2
    assert "train-00000.tar is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()


def test_letter_case_and_blanks_do_not_part_a_label_from_its_address(
    tmp_path: Path, make_artworks: Callable[..., list[Artwork]], monkeypatch: pytest.MonkeyPatch
) -> None:
    artworks = [
        replace(
            each, labels={"type": ("Oil  Paint", "Wood")}, identifiers={"type": {"Oil  Paint": ("aat:1",)}}
        )
        for each in make_artworks(6)
    ]
    out = tmp_path / "shards"
    folded = LabelRules({}, fold_case=True).apply(iter(artworks))
    manifest = pack(folded, PackSettings(out=out, images=tmp_path / "images", workers=1))
    collected = Collected()
    assert sum(1 for _ in collected.add(manifest)) == 6
    assert [(each.label, [concept.uri for concept, _ in each.concepts]) for each in collected.labels()] == [
        ("oil paint", ["aat:1"]),
        ("wood", []),
    ]
    monkeypatch.setattr("arttl.vocabularies.collect._MOST_PAIRS", 0)
    with pytest.raises(ArttlError, match="has more than 0 pairs of a label and an address"):
        list(Collected().add(Manifest.read(out)))
