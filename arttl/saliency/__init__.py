"""What a network looks at: VisualBackProp (operators, their plain-torch twins, taps per architecture), attributions."""

from arttl.saliency.taps import TAPS as TAPS
from arttl.saliency.taps import Tap as Tap
from arttl.saliency.taps import print_taps as print_taps
from arttl.saliency.visual_backprop import visual_backprop as visual_backprop
