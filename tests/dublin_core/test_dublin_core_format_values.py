from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arttl.dublin_core.format_values import format_kind


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("materiaal: olieverf", "material", "olieverf"),
        ("Materiaal:doek", "material", "doek"),
        ("material: opaque water colour", "material", "opaque water colour"),
        ("Matériau : bois", "material", "bois"),
        ("Material/Technik: Öl auf Leinwand", "material", "Öl auf Leinwand"),
        ("materials and techniques: ink on paper", "material", "ink on paper"),
        ("support: canvas", "material", "canvas"),
        ("materiaal (hoofd): hout", "material", "hout"),
        ("materiaal:", "empty", ""),
        ("techniek: graveren (drukprocedé)", "technique", "graveren (drukprocedé)"),
        ("Technik: Radierung", "technique", "Radierung"),
        ("etsen", "technique", "etsen"),
        ("etching (printing process)", "technique", "etching (printing process)"),
        ("gieten (tinnegieten)", "technique", "gieten (tinnegieten)"),
        ("hoogte 20 cm", "size", "hoogte 20 cm"),
        ("hoogte: 20 cm", "size", "20 cm"),
        ("Blatt: 20 x 30 cm", "size", "20 x 30 cm"),
        ("20 x 30 cm", "size", "20 x 30 cm"),
        ("h 20 cm × b 30,5 cm", "size", "h 20 cm × b 30,5 cm"),
        ("ca. 12 cm", "size", "ca. 12 cm"),
        ("1 foto", "size", "1 foto"),
        ("148 str., 12° (16 cm)", "size", "148 str., 12° (16 cm)"),
        ("Höhe 3 m", "size", "Höhe 3 m"),
        ("image/jpeg", "file format", "image/jpeg"),
        ("text/html; charset=utf-8", "file format", "text/html; charset=utf-8"),
        ("JPEG", "file format", "JPEG"),
        ("hout/metaal", "plain", "hout/metaal"),
        ("olieverf", "plain", "olieverf"),
        ("oil on canvas", "plain", "oil on canvas"),
        ("18-karaats goud", "plain", "18-karaats goud"),
        ("14k gold", "plain", "14k gold"),
        ("oil on canvas, 50 x 60 cm", "size and more", "oil on canvas, 50 x 60 cm"),
        ("lijst: hout", "other prefix", "hout"),
        ("http://vocab.getty.edu/aat/300015050", "plain", "http://vocab.getty.edu/aat/300015050"),
        ("aquarel", "plain", "aquarel"),
        ("katoen", "plain", "katoen"),
        ("h", "plain", "h"),
        ("Mate\u0301riau : bois", "material", "bois"),  # decomposed
        ("Ho\u0308he 3 m", "size", "Ho\u0308he 3 m"),
        ("", "empty", ""),
    ],
)
def test_kinds(text: str, kind: str, value: str) -> None:
    assert format_kind(text) == (kind, value)


@given(st.text(max_size=60))
def test_any_text_has_a_kind_and_keeps_its_end(text: str) -> None:
    text = " ".join(text.split())
    kind, value = format_kind(text)
    assert text.endswith(value)
    assert (kind == "empty") == (not value) or kind in ("technique", "size", "other prefix")


@given(
    st.floats(0.1, 999).map(lambda number: f"{number:.1f}"),
    st.sampled_from(["cm", "mm", "m", "in", "inches"]),
)
def test_numbers_with_units_are_sizes(number: str, unit: str) -> None:
    for text in (f"{number} {unit}", f"{number}{unit} x {number}{unit}", number.replace(".", ",") + unit):
        assert format_kind(text)[0] == "size"
