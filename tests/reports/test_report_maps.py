"""What the map of a card shows is said in words that are true of the network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arttl.loading import Preprocess
from arttl.models import Backbone, MultiTaskModel
from arttl.reports.cards import Card, Claim
from arttl.reports.pictures import CardPictures
from arttl.tasks import Task, TaskSet, Vocabulary

TASKS = TaskSet([Task("type", "single-label", Vocabulary(("coin", "vase"), (1, 1), (0,)))])


class OnePicture:
    """In the place of the folder or shards that were predicted for."""

    def read(self, name: str, cover: int) -> SimpleNamespace:
        pixels = np.random.default_rng(0).integers(256, size=(80, 90, 3), dtype=np.uint8)
        return SimpleNamespace(rgb=Image.fromarray(pixels))


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("test_resnet", "what speaks for type: vase"),
        ("test_vit", "what type: vase is predicted from (attention-gradients)"),
        ("mobilenetv3_small_050", "visual-backprop, the same for all labels"),
    ],
)
def test_it_is_named_after_what_it_is(network: str, said: str) -> None:
    model = MultiTaskModel(Backbone(network), TASKS, Preprocess(size=64)).eval()
    pictures: Any = OnePicture()
    card = Card("A.1", "a.jpg", claims=(Claim("type", "unsure", ("vase",), 0.6, 0.4),))
    (pictured,) = CardPictures(pictures, model).of([card])
    assert pictured.mapped == said and pictured.heat
