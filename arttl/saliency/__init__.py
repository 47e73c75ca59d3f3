"""What a network looks at, and why it chose a class: VisualBackProp and its taps, class maps, attributions."""

from arttl.saliency.class_maps import class_maps as class_maps
from arttl.saliency.taps import TAPS as TAPS
from arttl.saliency.taps import Tap as Tap
from arttl.saliency.taps import print_taps as print_taps
from arttl.saliency.visual_backprop import visual_backprop as visual_backprop
