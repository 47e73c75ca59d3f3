"""Transfer learning for museum collections: material, type and artist from photographs, with one network.

The names below are imported when they are first used, so that `import arttl` loads neither torch, DALI nor the
compiled module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arttl.lazy_names import lazy_names
from arttl.version import __version__ as __version__

if TYPE_CHECKING:
    from arttl.artworks import Artwork as Artwork
    from arttl.cpu import share_cores as share_cores
    from arttl.errors import ArttlError as ArttlError
    from arttl.loading import Batch as Batch
    from arttl.loading import Loader as Loader
    from arttl.loading import Preprocess as Preprocess
    from arttl.loading import open_loader as open_loader
    from arttl.models import MultiTaskModel as MultiTaskModel
    from arttl.saliency.class_maps import class_maps as class_maps
    from arttl.saliency.visual_backprop import visual_backprop as visual_backprop
    from arttl.shards.manifest import Manifest as Manifest
    from arttl.suggesting.api import load_model as load_model
    from arttl.suggesting.api import predict as predict
    from arttl.tasks import TaskSet as TaskSet

_HOME = {
    "Artwork": "arttl.artworks",
    "ArttlError": "arttl.errors",
    "Batch": "arttl.loading",
    "Loader": "arttl.loading",
    "Manifest": "arttl.shards.manifest",
    "MultiTaskModel": "arttl.models",
    "Preprocess": "arttl.loading",
    "TaskSet": "arttl.tasks",
    "class_maps": "arttl.saliency",
    "load_model": "arttl.suggesting.api",
    "open_loader": "arttl.loading",
    "predict": "arttl.suggesting.api",
    "share_cores": "arttl.cpu",
    "visual_backprop": "arttl.saliency",
}
__all__ = sorted(_HOME)
__getattr__ = lazy_names(__name__, _HOME)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
