"""Web Annotation: structure by the data model, terms by the public context, targets and regions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from exchange_cases import AAT, SCHEMAS, ULAN, write_inputs

from arttl.cli import run_command
from arttl.exchange.values import Region, Target

_CANVAS, _IMAGE = "https://iiif.example/SK-A-1718/canvas/1", "https://images.example/RP-P-1.jpg"
_TARGETS = f"""object_number,target,width,height,task,region_x,region_y,region_width,region_height
SK-A-1718,{_CANVAS},4000,2500,,,,,
SK-A-1718,{_CANVAS},4000,2500,material,120,80,900,700
RP-P-1,{_IMAGE},,,,,,,
"""


@pytest.fixture
def collection(tmp_path: Path) -> dict[str, Any]:
    out = tmp_path / "out.json"
    flags = [*write_inputs(tmp_path, targets=_TARGETS), "--predicted", "2026-11-29"]
    assert run_command("convert", [*flags, "--to", "web-annotation", "--out", str(out)]) == 0
    return dict(json.loads(out.read_text(encoding="utf-8")))


def _by_label(collection: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["body"][0]["value"]: each for each in collection["first"]["items"]}


def test_what_the_data_model_requires(collection: dict[str, Any]) -> None:
    # https://www.w3.org/TR/annotation-model/, 3.1, 3.2.1, 3.2.4, 4.2.1, 5.1 and 5.2.
    assert collection["type"] == "AnnotationCollection" and collection["id"].startswith("urn:uuid:")
    page = collection["first"]
    assert page["type"] == "AnnotationPage" and page["partOf"] == collection["id"] and page["startIndex"] == 0
    assert collection["total"] == len(page["items"]) == 6
    assert len({each["id"] for each in page["items"]}) == 6
    for each in page["items"]:
        assert each["type"] == "Annotation" and each["motivation"] == "classifying"
        text, *concepts = each["body"]
        assert text["type"] == "TextualBody" and text["format"] == "text/plain"
        assert all(concept["type"] == "SpecificResource" for concept in concepts)


def test_suggestions_and_decisions(collection: dict[str, Any]) -> None:
    annotations = _by_label(collection)
    assert set(annotations) == {
        "oil paint",
        "canvas",
        "painting",
        "Avercamp, Hendrick",
        "Lievens, Jan",
        "paper",
    }
    oil, painting = annotations["oil paint"], annotations["painting"]
    assert oil["creator"] == {"type": "Person", "name": "A. Curator"} and oil["confidence"] == 0.9731
    assert oil["label"] == "material" and oil["body"][0]["language"] == "en"
    assert painting["creator"] == {"type": "Software", "name": "a model of arttl"}
    assert painting["created"] == "2026-11-29T00:00:00Z"
    assert annotations["Avercamp, Hendrick"]["body"][1]["source"] == f"{ULAN}500015012"
    assert "confidence" not in annotations["Lievens, Jan"]
    assert oil["target"] == {
        "type": "SpecificResource",
        "source": _CANVAS,
        "selector": {
            "type": "FragmentSelector",
            "conformsTo": "http://www.w3.org/TR/media-frags/",
            "value": "xywh=120,80,900,700",
        },
    }
    assert painting["target"] == _CANVAS and annotations["paper"]["target"] == _IMAGE


def test_the_public_context_gives_it_meaning(collection: dict[str, Any]) -> None:
    jsonld = pytest.importorskip("pyld").jsonld

    def load(url: str, options: object) -> dict[str, Any]:
        assert url == "http://www.w3.org/ns/anno.jsonld"
        return {
            "contextUrl": None,
            "documentUrl": url,
            "document": json.loads((SCHEMAS / "anno.jsonld").read_text()),
        }

    (expanded,) = jsonld.expand(collection, {"documentLoader": load})
    activity, oa = "http://www.w3.org/ns/activitystreams#", "http://www.w3.org/ns/oa#"
    (page,) = expanded[f"{activity}first"]
    (items,) = page[f"{activity}items"]
    assert [each["@type"] for each in items["@list"]] == [[f"{oa}Annotation"]] * 6
    oil = items["@list"][0]
    assert oil[f"{oa}motivatedBy"] == [{"@id": f"{oa}classifying"}]
    assert [each["@type"] for each in oil[f"{oa}hasBody"]] == [
        [f"{oa}TextualBody"],
        [f"{oa}SpecificResource"],
    ]
    assert oil[f"{oa}hasBody"][1][f"{oa}hasSource"] == [{"@id": f"{AAT}300015050"}]
    (target,) = oil[f"{oa}hasTarget"]
    assert target[f"{oa}hasSource"] == [{"@id": _CANVAS}]
    assert target[f"{oa}hasSelector"][0]["@type"] == [f"{oa}FragmentSelector"]
    (confidence,) = oil["http://www.w3.org/2005/11/its/rdf#taConfidence"]
    assert confidence == {"@type": "http://www.w3.org/2001/XMLSchema#double", "@value": 0.9731}
    # Every property has become an address: expansion drops those without.
    assert len(oil) == len(collection["first"]["items"][0])


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    flags = [*write_inputs(tmp_path, targets=_TARGETS), "--to", "web-annotation"]
    for name in ("a.json", "b.json"):
        assert run_command("convert", [*flags, "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("SK-A-1718,canvas 1,,,,,,,", "line 2 of .* has 'canvas 1' as target, which is no address"),
        (",https://a.example/1,,,,,,,", "line 2 of .* has no object_number"),
        ("1,https://a.example/1,40,,,,,,", "has '' as height; it must be a whole number of pixels"),
        ("1,https://a.example/1,40,20.5,,,,,", "has '20.5' as height"),
        ("1,https://a.example/1,40,20,,1,1,2,2", "has a region and no task"),
        ("1,https://a.example/1,40,20,type,1,1,2,0", "the region is not a rectangle of whole pixels"),
        ("1,https://a.example/1,40,20,type,30,1,11,2", "the region leaves the 40 x 20 of the target"),
        (
            "1,https://a.example/1,,,,,,,\n1,https://a.example/2,,,,,,,",
            "gives object_number '1' a second target",
        ),
    ],
)
def test_targets_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, sentence: str
) -> None:
    header = _TARGETS.splitlines()[0]
    flags = [*write_inputs(tmp_path, targets=f"{header}\n{row}\n"), "--to", "web-annotation"]
    assert run_command("convert", [*flags, "--out", str(tmp_path / "a.json")]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1 and re.search(sentence, error), error
    assert not (tmp_path / "a.json").exists()


def test_a_region_that_just_fits() -> None:
    assert Target("x:1", 40, 20, Region(30, 0, 10, 20)).region == Region(30, 0, 10, 20)
