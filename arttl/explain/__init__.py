"""VisualBackProp: the operator, its plain-torch twin, taps per architecture, overlays."""
