"""Maps as pictures and figures: overlays, panels, scores, and regions for annotations."""

from arttl.explain.overlay import colourise as colourise
from arttl.explain.overlay import contour as contour
from arttl.explain.overlay import difference as difference
from arttl.explain.overlay import overlay as overlay
from arttl.explain.panel import PanelRow as PanelRow
from arttl.explain.panel import contact_sheet as contact_sheet
from arttl.explain.panel import panel as panel
