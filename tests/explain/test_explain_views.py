"""Names of the files of pictures."""

from __future__ import annotations

from arttl.explain.views import unused_name


def test_names_that_only_a_case_sensitive_disk_tells_apart() -> None:
    assert unused_name("Vase", {"bowl"}) == "Vase"
    assert unused_name("Vase", {"vase", "VASE-2"}) == "Vase-3"
    assert unused_name("e\u0301cu", {"\u00c9cu"}) == "e\u0301cu-2"
