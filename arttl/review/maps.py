"""The map of a task over a photograph: what the model looks at, made when a person asks for it."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from arttl.pictures.picture_file import PictureFile
from arttl.review.pictures import Pictures, jpeg


class Maps:
    """Draws maps with a model, which is loaded for the first of them; one at a time."""

    def __init__(self, folder: Path, pictures: Pictures) -> None:
        self._folder, self._pictures = folder, pictures
        self._lock = threading.Lock()
        self._network: Any = None
        self._method: Any = None
        self.jpeg = lru_cache(maxsize=64)(self._jpeg)

    def _jpeg(self, file: PictureFile, task: str) -> bytes:
        """The map of a task over a photograph, as a JPEG of what the network sees of it.

        As `usual_method` chooses, and VisualBackProp's, of a transformer the means of its tokens after it, for a task
        that is a number; these are the same for every task.

        Raises:
            ArttlError: if the model cannot be loaded, or has no such map.
            BadPicture: if the photograph cannot be read.
        """
        # torch takes seconds to load, and nothing else of the app needs it.
        from arttl.explain.networks import networks_side_by_side
        from arttl.explain.overlay import overlay
        from arttl.models import load_trained_model
        from arttl.saliency.maps import AnyMethod, maps_of, to_device, usual_method

        rgb = np.array(self._pictures.pixels(file))
        with self._lock:
            if self._network is None:
                model = load_trained_model(self._folder)
                self._network = to_device(networks_side_by_side(model, None)[0])
            network = self._network
            preprocess = network.preprocess
            image = preprocess.apply(rgb)[None]  # [1, 3, H, W]
            if self._method is None:
                self._method, _ = usual_method(network, [image])
            has_classes = task in network.tasks and network.tasks[task].kind != "number"
            method: AnyMethod = self._method if has_classes else "visual-backprop"
            heat = maps_of(network, image, method, task=task).numpy()[0]
        return jpeg(Image.fromarray(overlay(preprocess.denormalise(image)[0], heat)))
