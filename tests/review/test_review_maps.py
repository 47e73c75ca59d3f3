"""The map that the review app shows is the usual one of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arttl.explain.overlay import overlay
from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.pictures.picture_file import PictureFile
from arttl.review.maps import Maps
from arttl.review.pictures import jpeg
from arttl.saliency.maps import maps_of
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("a", "b"), (1, 1), (0,)))])


class OnePicture:
    """In the place of the app's pictures."""

    def __init__(self) -> None:
        pixels = np.random.default_rng(0).integers(256, size=(80, 90, 3), dtype=np.uint8)
        self.picture = Image.fromarray(pixels)

    def pixels(self, file: PictureFile) -> Image.Image:
        return self.picture


@pytest.mark.parametrize(
    ("network", "method"), [("test_vit", "attention-gradients"), ("test_resnet", "class-map")]
)
def test_a_map_is_the_usual_one(network: str, method: Any, tmp_path: Path) -> None:
    model = MultiTaskModel(Backbone(network), TASKS, Preprocess(size=64)).eval()
    model.save(tmp_path / "model")
    pictures: Any = OnePicture()
    drawn = Maps(tmp_path / "model", pictures).jpeg(PictureFile(tmp_path / "a.jpg"), "type")
    image = model.preprocess.apply(np.array(pictures.picture))[None]
    heat = maps_of(model, image, method, task="type").numpy()[0]
    assert heat.std() > 0
    assert drawn == jpeg(Image.fromarray(overlay(model.preprocess.denormalise(image)[0], heat)))
