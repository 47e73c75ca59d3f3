"""Museums: kept with the samples, counted, and one of them left out for the test split."""

from __future__ import annotations

import csv
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from arttl.artworks import sample_key
from arttl.errors import ArttlError
from arttl.packing.command import run
from arttl.packing.leaks import find_leaks
from arttl.packing.plan import Plan, make_plan
from arttl.packing.settings import PackSettings
from arttl.packing.summary import Summary
from arttl.shards.manifest import Manifest
from arttl.shards.rejects import read_rejects
from arttl.sources.registry import open_source


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of three museums, of which Antwerp and Ghent number their objects alike; two name no museum."""
    folder = tmp_path_factory.mktemp("museums")
    random = np.random.default_rng(1)
    with (folder / "objects.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", "image", "type", "museum"])
        for index in range(60):
            museum = "Antwerp" if index < 20 else "Ghent" if index < 40 else "Bruges" if index < 58 else ""
            name = f"{index}.png"
            Image.fromarray(random.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
            table.writerow([f"{index % 20 if index < 40 else index}", name, "ab"[index % 2], museum])
    return folder


def packed(collection: Path, out: Path, **changes: object) -> Manifest:
    settings = PackSettings(
        metadata=collection / "objects.csv",
        images=collection,
        object_number="number",
        image="image",
        tasks=("type",),
        institution_column="museum",
        out=out,
        workers=1,
        near_duplicates="off",
    ).replace(**changes)
    settings.check()
    run(settings)
    return Manifest.read(out)


def test_a_museum_is_left_out_for_the_test_split(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = packed(
        collection, tmp_path / "shards", split="by-institution", test_institution=("Ghent",), max_side=32
    )
    of_split = Counter(zip(manifest.splits, manifest.institutions, strict=True))
    assert of_split["test", "Ghent"] == 20 and {museum for split, museum in of_split if split == "test"} == {
        "Ghent"
    }
    assert of_split["val", "Antwerp"] + of_split["val", "Bruges"] == 4  # of 38, 8 to 1
    assert of_split["train", "Antwerp"] + of_split["train", "Bruges"] == 34
    rejects = list(read_rejects(tmp_path / "shards"))
    assert [reject.reason for reject in rejects] == ["no-split"] * 2
    assert "no institution is named" in rejects[0].detail
    summary = Summary.of_manifest(manifest)
    assert {name: counts.tolist() for name, counts in summary.institutions.items()}["Ghent"] == [0, 0, 20]
    assert summary.scaled_down == (58, pytest.approx(60 / 32))
    # Antwerp and Ghent share numbers, which is no leak.
    assert not find_leaks(manifest).leaks
    printed = " ".join(capsys.readouterr().out.split())
    assert "Ghent 20 0 0 20 34.5%" in printed
    assert (
        "--max-side 32: 58 pictures (100.0%) were scaled down, half of them to 53% of their size or less"
        in printed
    )


def test_the_museum_is_kept_with_each_sample(collection: Path, tmp_path: Path) -> None:
    manifest = packed(collection, tmp_path / "shards", institution="Mechelen")
    assert Counter(manifest.institutions) == {"Antwerp": 20, "Ghent": 20, "Bruges": 18, "Mechelen": 2}
    table = pq.read_table(tmp_path / "shards" / "manifest.parquet")
    assert table["institution"].to_pylist() == manifest.institutions
    with tarfile.open(tmp_path / "shards" / "test-00000.tar") as tar:
        texts = [json.load(tar.extractfile(name)) for name in tar.getnames() if name.endswith(".json")]  # type: ignore[arg-type]
    by_key = dict(zip(manifest.keys, manifest.institutions, strict=True))
    assert {text["key"]: text["institution"] for text in texts} == {
        key: by_key[key] for key in (text["key"] for text in texts)
    }


def test_a_dry_run_counts_museums(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        PackSettings(
            metadata=collection / "objects.csv",
            object_number="number",
            image="image",
            tasks=("type",),
            institution_column="museum",
            out=tmp_path / "none",
            dry_run=True,
        )
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert "Bruges 18" in printed and "not named 2" in printed


def test_two_spellings_of_one_museum_are_not_parted(collection: Path, tmp_path: Path) -> None:
    table = (collection / "objects.csv").read_text(encoding="utf-8")
    lines = [
        line.replace("Ghent", "GHENT") if index % 2 else line for index, line in enumerate(table.splitlines())
    ]
    (collection / "two.csv").write_text("\n".join(lines), encoding="utf-8")
    changes = {"metadata": collection / "two.csv", "split": "by-institution"}
    with pytest.raises(ArttlError, match="there is 'GHENT' too, which would be trained on"):
        packed(collection, tmp_path / "shards", test_institution=("Ghent",), **changes)
    manifest = packed(collection, tmp_path / "shards", test_institution=("Ghent", "GHENT"), **changes)
    assert sum(split == "test" for split in manifest.splits) == 20


def test_names_of_museums_are_compared_as_labels_are(collection: Path, tmp_path: Path) -> None:
    table = (collection / "objects.csv").read_text(encoding="utf-8")
    lines = table.replace("Ghent", "\u200bMuse\u0301e  de\u00a0Gand").replace("Antwerp", "Mus\u00e9e de Gand")
    (collection / "blanks.csv").write_text(lines, encoding="utf-8")
    changes = {
        "metadata": collection / "blanks.csv",
        "institution": " of\u00a0 Bruges",
        "split": "by-institution",
    }
    manifest = packed(
        collection, tmp_path / "shards", test_institution=("Muse\u0301e de\u00a0Gand",), **changes
    )
    museums = Counter(zip(manifest.institutions, [split == "test" for split in manifest.splits], strict=True))
    assert museums == {("Mus\u00e9e de Gand", True): 40, ("Bruges", False): 18, ("of Bruges", False): 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"test_institution": ("Bruges", "Ghent", "Antwerp")},
            "names all institutions (Antwerp, Ghent, Bruges), which leaves no object to train on; leave one out",
        ),
        ({"test_institution": ("Gent",)}, "no object is of this institution (did you mean 'Ghent'?)"),
        ({"test_institution": ()}, "go together"),
        ({"split": "paper", "test_institution": ("Ghent",)}, "go together"),
    ],
)
def test_what_is_refused(changes: dict[str, object], message: str, collection: Path, tmp_path: Path) -> None:
    with pytest.raises(ArttlError) as refused:
        packed(collection, tmp_path / "shards", **({"split": "by-institution"} | changes))
    assert message in str(refused.value)


def test_objects_of_one_number_in_several_museums_are_kept_apart(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = packed(collection, tmp_path / "shards", split="grouped")
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "several institutions have objects of one number, 20 in all, such as 0 (Antwerp, Ghent): they are kept apart"
        in printed
    )
    # The table's own row of each sample is in its picture's name: 20 pictures of Antwerp, then 20 of Ghent.
    rows = zip(manifest.object_numbers, manifest.institutions, manifest.keys, manifest.splits, strict=True)
    splits: dict[str, dict[str | None, str]] = {}
    for number, museum, key, split in rows:
        assert key == (sample_key(number, part=museum or "") if museum in ("Antwerp", "Ghent") else number)
        splits.setdefault(number, {})[museum] = split
    pairs = [museums for number, museums in splits.items() if int(number) < 20]
    assert all(museums.keys() == {"Antwerp", "Ghent"} for museums in pairs)
    # As groups of their own they are divided by chance: of 20 pairs not all are in one split.
    assert any(museums["Antwerp"] != museums["Ghent"] for museums in pairs)
    assert not find_leaks(manifest).leaks


@pytest.mark.parametrize("dry_run", [True, False])
def test_museums_of_two_spellings_are_printed(
    dry_run: bool, collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "objects.csv"
    text = (collection / "objects.csv").read_text(encoding="utf-8")
    table.write_text(text.replace("58.png,a,", "58.png,a,bruges"), encoding="utf-8")
    settings = PackSettings(
        metadata=table,
        images=collection,
        object_number="number",
        image="image",
        tasks=("type",),
        institution_column="museum",
        out=tmp_path / "shards",
        workers=1,
        near_duplicates="off",
        dry_run=dry_run,
    )
    run(settings)
    assert (
        "\ninstitutions: 'Bruges' (18) and 'bruges' (1) differ only in letter case, and count as several; give them one"
        " name in the metadata\n" in capsys.readouterr().out
    )


def _two_museums(folder: Path, rows: list[tuple[str, str, str]], pictures: tuple[str, ...]) -> Plan:
    """The plan for rows of number, type and museum, with pictures named after numbers."""
    random = np.random.default_rng(2)
    others = [(f"other{index}", "vase", "Ghent") for index in range(6)]
    for name in (*pictures, *(f"{number}.png" for number, _, _ in others)):
        Image.fromarray(random.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    with (folder / "objects.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("number", "type", "museum"), *rows, *others])
    settings = PackSettings(
        metadata=folder / "objects.csv",
        images=folder,
        object_number="number",
        image="number",
        tasks=("type",),
        institution_column="museum",
        out=folder / "shards",
        split="grouped",
    )
    return make_plan(open_source(settings), settings)


def test_a_picture_named_after_a_number_of_two_museums_is_neithers(tmp_path: Path) -> None:
    rows = [("1", "cup", "Antwerp"), ("1", "bowl", "Ghent"), ("2", "cup", "Antwerp")]
    plan = _two_museums(tmp_path, rows, ("1.png", "2.png"))
    assert [(reject.object_number, reject.reason, reject.detail) for reject in plan.rejects] == [
        (
            "1",
            "ambiguous-picture",
            f"1.png could as well be the picture of object '1' of {other}; no name is exactly its own",
        )
        for other in ("Ghent", "Antwerp")
    ]


def test_a_row_without_a_museum_may_repeat_one_with(tmp_path: Path) -> None:
    plan = _two_museums(tmp_path, [("1", "cup", "Antwerp"), ("1", "cup", "")], ("1.png",))
    assert [reject.reason for reject in plan.rejects] == ["duplicate-row"]


def test_leaves_of_one_number_in_two_museums_are_no_series(collection: Path, tmp_path: Path) -> None:
    table = tmp_path / "objects.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = [
            (
                f"{index // 2}{'ab'[index % 2]}",
                f"{index + 30 * (museum == 'Ghent')}.png",
                "ab"[index % 2],
                museum,
            )
            for museum in ("Antwerp", "Ghent")
            for index in range(30)
        ]
        # Museums may have other leaves of one number.
        rows = [row for row in rows if (row[0].endswith("a")) == (row[3] == "Antwerp")]
        csv.writer(file).writerows([("number", "image", "type", "museum"), *rows])
    manifest = packed(collection, tmp_path / "shards", metadata=table, leaf="[a-z]", split="grouped")
    assert {*zip(manifest.groups, manifest.institutions, strict=True)} == {
        (f"{museum}: {index}", museum) for museum in ("Antwerp", "Ghent") for index in range(15)
    }
    assert not find_leaks(manifest).leaks
