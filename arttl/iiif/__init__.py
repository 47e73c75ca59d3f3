"""IIIF documents of versions 2 and 3 in one small form."""
