"""Parsers of metadata: per parser, small valid files by the tests' own helpers, and what reads them."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dublin_core_cases as dublin_core
import iiif_cases
import lido_cases as lido
import linked_art_cases as linked_art
import pyarrow as pa
import pyarrow.parquet as pq
import test_sources_edm as edm
import test_sources_mame as mame
import test_sources_rijks2014 as rijks
import test_years
from fuzzing import Parser
from real_file_cases import CASES

from arttl.artworks import Artwork
from arttl.class_rules import ClassRule
from arttl.console import Console
from arttl.decimals import NumberFormat, UnclearNumbers
from arttl.labelling.printing import print_suspects
from arttl.labelling.rules import LabelRules
from arttl.numbers import NumberStatistics, parse_number, unused_numbers
from arttl.packing.command import print_sentences
from arttl.packing.plan import make_plan
from arttl.packing.settings import PackSettings
from arttl.packing.summary import Summary
from arttl.packing.tables import class_tables, packing_tables
from arttl.settings import recipe_values
from arttl.shards.rejects import read_rejects
from arttl.sources.registry import SOURCES, guess_settings, open_source
from arttl.sources.rijks2014 import read_rijks2014
from arttl.sources.settings import SourceSettings
from arttl.tasks import Task, TaskSet, Vocabulary
from arttl.training.settings import TrainSettings
from arttl.years import parse_year

_REAL = Path(os.environ.get("ARTTL_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
_ROWS = 12  # of real files with many, the first
_FEWEST = 6  # artworks that can be divided: of fewer each is taken so many times

Read = Callable[[Path, Path], object]


def write(folder: Path, name: str, data: bytes | str) -> None:
    """Write a file, and the folders that it is in."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def _real(folder: Path, source: str, *suffixes: str) -> None:
    for case in CASES:
        path = _REAL / "metadata" / case.file
        if case.source == source and path.suffix in suffixes and path.is_file():
            lines = path.read_bytes().splitlines(keepends=True)
            shown = lines[:_ROWS] if path.suffix in (".csv", ".jsonl") else lines
            write(folder, f"{path.stem}/file{path.suffix}", b"".join(shown))


def _rows() -> list[dict[str, Any]]:
    makers = ("Monet, Claude", "after Rembrandt", "Dürer; Cranach", "", "attributed to X (1650-1700)", "雪舟")
    dates = ("1650", "ca. 1870-80", "18th century", "n.d.", "3rd quarter 19th c.", "c. 19")
    return [
        {
            "accession_number": f"1907.{index}0",
            "title": f'Title, "{index}"\nsecond line',
            "artist": makers[index % 6],
            "material": ("oil;canvas", "wood", "paper | ink")[index % 3],
            "type": ("painting", "print", "drawing")[index % 3],
            "date": dates[index % 6],
            "height": ("12,5", "1.234,5", "7")[index % 3],
            "image": f"https://m.example/{index}.jpg",
        }
        for index in range(14)
    ]


def _delimited(folder: Path) -> None:
    _real(folder, "table", ".csv")
    for name, delimiter, encoding in (
        ("comma/file.csv", ",", "utf-8"),
        ("tab/file.tsv", "\t", "utf-16"),
        ("semicolon/file.csv", ";", "utf-8-sig"),
        ("unmarked/file.csv", ",", "utf-16-le"),
    ):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(_rows()[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(_rows())
        write(folder, name, text.getvalue().encode(encoding))


def _json_tables(folder: Path) -> None:
    _real(folder, "table", ".jsonl", ".json")
    rows = [{**row, "makers": [{"name": row["artist"], "role": None}], "x": {"y": 1.50}} for row in _rows()]
    write(folder, "lines/file.jsonl", "\n".join(map(json.dumps, rows)))
    write(folder, "list/file.json", json.dumps(rows))


def _parquet_tables(folder: Path) -> None:
    types = {
        "accession_number": pa.array([f"A{index}" for index in range(14)]).dictionary_encode(),
        "material": pa.array([["oil", None], []] * 7),
        "type": pa.array(["é".encode(), b"a"] * 7, pa.binary()),
        "artist": pa.array([{"name": "x", "n": 1}] * 14),
        "date": pa.array([1650.5, None] * 7, pa.float32()),
        "when": pa.array([0, 2**40] * 7, pa.timestamp("ms", tz="UTC")),
        "decimal": pa.array(range(14), pa.int64()).cast(pa.decimal128(30, 3)),
    }
    for name, table in (("plain", pa.Table.from_pylist(_rows())), ("types", pa.table(types))):
        (folder / name).mkdir()
        pq.write_table(table, folder / name / "file.parquet", compression="zstd")


def _lido(folder: Path) -> None:
    _real(folder, "lido", ".xml")
    material = lido.materials(lido.material("Öl", lang="de"), lido.material("oil", lang="en"))
    made = lido.event("Herstellung", lido.actor("Dürer, Albrecht", "Maler", "Werkstatt"), material)
    described = lido.description(made, types=lido.work_type(lido.term("Bild")))
    records = "".join(lido.record(described, number=number) for number in "ab")
    write(folder, "own/file.xml", f"{lido.WRAP}{records}</lido:lidoWrap>")


def _example(source: str, text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        _real(folder, source, ".xml", ".json")
        write(folder, f"own/file.{'json' if text.startswith('{') else 'xml'}", text)

    return make


def _harvest(folder: Path) -> None:
    records = [
        *(("A", "2020-01-01", "old"), ("B", "2020-01-01T10:00:00Z", "b")),
        *(("A", "2021-01-01", "new"), ("B", "2021", "")),
    ]
    head, _, inner = dublin_core.OAI_HEAD.partition("<ListRecords>")
    first, second = (
        f"{head}<responseDate>2022-01-0{day}T00:00:00Z</responseDate><ListRecords>{inner}"
        f"{''.join(dublin_core.harvested(*record) for record in part)}<resumptionToken/>{dublin_core.OAI_END}"
        for day, part in ((1, records[:2]), (2, records[2:]))
    )
    write(folder, "two/1.xml", first)
    write(folder, "two/2.xml", second)
    write(folder, "joined/1.xml", f'<?xml version="1.0"?>\n{first}\n<?xml version="1.0"?>\n{second}')


def _iiif(folder: Path) -> None:
    _real(folder, "iiif", ".json")
    pairs = {
        "Artist": "X",
        "Medium": "Oil<br>Canvas",
        "Object number": "A.1",
        "Date": "c. 1650",
        "Type": "print",
    }
    pages = [
        iiif_cases.canvas_3(iiif_cases.image_3(f"{iiif_cases.SERVICE}{number}"), number=number)
        for number in (1, 2)
    ]
    write(folder, "version3/file.json", json.dumps(iiif_cases.manifest_3(pairs, *pages)))
    two = [{"label": label, "value": value} for label, value in pairs.items()]
    write(folder, "version2/file.json", json.dumps(iiif_cases.manifest_2(two)))


def _mame(folder: Path) -> None:
    rows = (
        f"{i}.jpg,Gold,Museum {i % 2},7.{i},{('train', 'val', 'test')[i % 3]},1,2,2,.5\n" for i in range(9)
    )
    write(folder, "own/file.csv", mame._TABLE + "".join(rows))


def dry_run(source: str, **flags: Any) -> Read:
    """A dry run of packing with the flags of the real files, and its tables."""

    def read(folder: Path, scratch: Path) -> None:
        own = next((case.flags for case in CASES if Path(case.file).stem == folder.name), {})
        metadata = next(folder.glob("file.*")) if source in ("table", "mame") else folder
        values = {"metadata": metadata, **flags, **own}
        settings, _ = guess_settings(
            PackSettings(source=source, out=scratch / "out", dry_run=True, workers=1, **values)
        )
        artworks = open_source(settings)
        items = list(artworks)
        if len(items) < _FEWEST:
            items = [
                replace(item, key=f"{item.key}{copy}", object_number=f"{copy} {item.object_number}")
                if isinstance(item, Artwork)
                else item
                for item in items
                for copy in range(_FEWEST if isinstance(item, Artwork) else 1)
            ]
        settings = settings.replace(tasks=settings.tasks or SOURCES[source].tasks)
        plan = make_plan(items, settings, optional_tasks=True)
        summary = Summary.of_plan(plan, settings.shard_size)
        sentences = (*artworks.sentences(), *plan.warnings)
        if sum(path.stat().st_size for path in folder.iterdir()) % 8 == 0:  # most of the time goes into it
            print_sentences(*sentences)
            for table in (packing_tables(summary), class_tables(summary, 12)):
                Console().print(table)
            print_suspects(summary.tasks, summary.institutions, settings)

    return read


def _rijks(folder: Path) -> None:
    for version in (rijks._write_version_5, rijks._write_version_7_3):
        for sparse in (False, True):
            path = folder / f"{version.__name__}-{sparse}"
            (path / "jpg2").mkdir(parents=True)
            version(path / "rijksgt.mat", sparse=sparse)
            for stem, fields in rijks._RECORDS.items():
                (path / "jpg2" / f"{stem}.jpg").touch()
                write(path, f"xml/{stem}.xml", f"{rijks._HEAD}{fields}</record>")


def _read_rijks(folder: Path, scratch: Path) -> None:
    tasks = ("type=gt.type", "artist=gt.creator", "material=gt.material")
    files: dict[str, Any] = {"metadata": folder / "xml", "images": folder / "jpg2"}
    truth = folder / "rijksgt.mat"
    given = SourceSettings(source="rijks2014", split="official", tasks=tasks, ground_truth=truth, **files)
    list(read_rijks2014(given))


def _rules(folder: Path) -> None:
    write(folder, "all/classes.txt", "wood\noil\n雪\n")
    write(folder, "all/classes.json", json.dumps(["wood", "oil", "雪"]))
    write(folder, "all/mapping.csv", "catalogued,label\nmonet,Claude Monet\nonbekend,\nOil ,oil\n")
    write(
        folder,
        "all/recipe.yaml",
        "tasks: [type, artist]\nepochs: 3\nbackbone: resnet50\nlearning_rate: 1e-3\n",
    )
    write(folder, "all/rejects.csv", "object_number,key,file,reason,detail\nA,,'=x,missing,no such file\n")
    TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (3, 2), (0,)))]).save(
        folder / "all" / "tasks.json"
    )


def _listed(name: str) -> Read:
    def read(folder: Path, scratch: Path) -> None:
        rule = ClassRule.parse(f"listed={folder / name}")
        rule.choose({split: {"wood": 3, "oil": 2} for split in ("train", "val", "test")})
        rule.sentences(["wood", "paper"])

    return read


def _mapping(folder: Path, scratch: Path) -> None:
    LabelRules.read([f"type={folder / 'mapping.csv'}"], ("type",), fold_case=True)


def _recipe(folder: Path, scratch: Path) -> None:
    values = recipe_values(folder / "recipe.yaml", TrainSettings)
    TrainSettings.of(**{"shards": folder, "out": scratch, **values})


def _tasks(folder: Path, scratch: Path) -> None:
    TaskSet.load(folder / "tasks.json")


def _rejects(folder: Path, scratch: Path) -> None:
    list(read_rejects(folder))


def _texts(folder: Path) -> None:
    numbers = ["12,5", "1.234,5", "1'000", "-500", "1.642e3", "23.5", "1650?", "165?", "[18]85", "١٦٥٠"]
    write(
        folder, "own/file.txt", "\n".join([*(text for text, *_ in test_years.DOCUMENTED), *numbers, "1 234"])
    )


def _read_texts(folder: Path, scratch: Path) -> None:
    labels = (folder / "file.txt").read_text(errors="surrogateescape").splitlines()
    forms = [NumberFormat()]
    with contextlib.suppress(UnclearNumbers):
        forms.append(NumberFormat.of(labels))
    for form in forms:
        values = [parse_number(label, form) for label in labels]
        unused_numbers(labels, form)
        with contextlib.suppress(ValueError):  # too few, or all alike
            statistics = NumberStatistics.of(values, form)
            statistics.text(statistics.mean)
    for label in labels:
        parse_year(label)


PARSERS = {
    "delimited": Parser(_delimited, (dry_run("table"),)),
    "json-tables": Parser(_json_tables, (dry_run("table"),)),
    "parquet-tables": Parser(_parquet_tables, (dry_run("table"),)),
    "lido": Parser(_lido, (dry_run("lido"),)),
    "dublin-core": Parser(_example("dublin-core", dublin_core.EXAMPLE), (dry_run("dublin-core"),)),
    "oai-harvest": Parser(_harvest, (dry_run("dublin-core"), dry_run("lido"))),
    "edm": Parser(_example("edm", edm.EXAMPLE), (dry_run("edm"),)),
    "linked-art": Parser(_example("linked-art", json.dumps(linked_art.OBJECT)), (dry_run("linked-art"),)),
    "iiif": Parser(_iiif, (dry_run("iiif"),)),
    "rijks2014": Parser(_rijks, (_read_rijks,)),
    "mame": Parser(_mame, (dry_run("mame", split="official"),)),
    "rules": Parser(
        _rules, (_listed("classes.txt"), _listed("classes.json"), _mapping, _recipe, _tasks, _rejects)
    ),
    "numbers": Parser(_texts, (_read_texts,)),
}
