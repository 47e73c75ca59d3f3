"""VisualBackProp: the operator, its plain-torch twin, taps per architecture, overlays and panels."""

from arttl.explain.overlay import colourise as colourise
from arttl.explain.overlay import contour as contour
from arttl.explain.overlay import difference as difference
from arttl.explain.overlay import overlay as overlay
from arttl.explain.panel import PanelRow as PanelRow
from arttl.explain.panel import contact_sheet as contact_sheet
from arttl.explain.panel import panel as panel
from arttl.explain.taps import TAPS as TAPS
from arttl.explain.taps import Tap as Tap
from arttl.explain.taps import print_taps as print_taps
from arttl.explain.visual_backprop import visual_backprop as visual_backprop
