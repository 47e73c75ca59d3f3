"""Backbones, heads, the multi-task model, the fused model and foreign weights.

The names are imported when they are first used, so that what needs one module of the package loads neither timm nor
the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arttl.late_dynamo import import_later
from arttl.lazy_names import lazy_names

if TYPE_CHECKING:
    from arttl.models.backbones import Backbone as Backbone
    from arttl.models.backbones import default_preprocess as default_preprocess
    from arttl.models.folders import Provenance as Provenance
    from arttl.models.folders import TrainedModel as TrainedModel
    from arttl.models.fusion import FusedModel as FusedModel
    from arttl.models.fusion import load_fused as load_fused
    from arttl.models.fusion import load_trained_model as load_trained_model
    from arttl.models.multitask import MultiTaskModel as MultiTaskModel
    from arttl.models.multitask import load_model as load_model
    from arttl.models.weights import LoadedWeights as LoadedWeights
    from arttl.models.weights import load_weights as load_weights

_HOME = {
    "Backbone": "arttl.models.backbones",
    "FusedModel": "arttl.models.fusion",
    "LoadedWeights": "arttl.models.weights",
    "MultiTaskModel": "arttl.models.multitask",
    "Provenance": "arttl.models.folders",
    "TrainedModel": "arttl.models.folders",
    "default_preprocess": "arttl.models.backbones",
    "load_fused": "arttl.models.fusion",
    "load_model": "arttl.models.multitask",
    "load_trained_model": "arttl.models.fusion",
    "load_weights": "arttl.models.weights",
}
import_later()
__all__ = sorted(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
