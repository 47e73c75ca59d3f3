from __future__ import annotations

from pathlib import Path

import pytest

from arttl.class_rules import ClassRule
from arttl.errors import ArttlError
from arttl.loading.settings import ClassSettings
from arttl.tasks import TaskSet


class Rows:
    task_names = ("material", "artist")
    splits = ("train", "val", "test") * 2

    def labels(self, task: str) -> list[tuple[str, ...] | None]:
        if task == "artist":
            return [("Frans Hals",)] * 3 + [None] * 3
        return [("pl\u00e2tre",)] * 3 + [("oil\u00a0paint",)] * 3


def _listed(tmp_path: Path, text: str) -> str:
    (tmp_path / "classes.txt").write_text(text, encoding="utf-8")
    return f"listed={tmp_path / 'classes.txt'}"


def test_names_and_labels_are_compared_in_one_form(tmp_path: Path) -> None:
    rule = _listed(tmp_path, "pla\u0302tre\noil paint\u200b\n")
    tasks = TaskSet.from_manifest(Rows(), ("material",), classes=rule)
    assert tasks["material"].vocabulary.classes == ("oil\u00a0paint", "pl\u00e2tre")
    assert ClassSettings(classes=rule).sentences(Rows()) == []


def test_names_that_no_label_has(tmp_path: Path) -> None:
    rule = _listed(tmp_path, "pl\u00e2tre\noil paint\nFrans Hals\nfrans hals\nPlatre\ngold\nzinc\n")
    (sentence,) = ClassSettings(classes=rule).sentences(Rows())
    assert sentence == (
        f"--classes {rule}: 4 of 7 names are no label of these tasks: 'Platre' (the closest label is 'pl\u00e2tre'),"
        " 'frans hals' (the closest label is 'Frans Hals'), 'gold', ..."
    )
    assert len(ClassSettings(classes=rule, tasks=("material",)).sentences(Rows())) == 1
    assert ClassSettings(classes="train").sentences(Rows()) == []
    assert ClassRule.parse("train").sentences(["a"]) == []


def test_no_class_at_all(tmp_path: Path) -> None:
    rule = _listed(tmp_path, "OIL PAINT\ngold\n")
    with pytest.raises(
        ArttlError,
        match=r"0 classes left .*: two are needed; .*; --classes listed=.* 2 of 2 names",
    ):
        TaskSet.from_manifest(Rows(), ("material",), classes=rule)
