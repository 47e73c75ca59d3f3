"""Names of the files of pictures."""

from __future__ import annotations

from arttl.explain.views import UnusedNames


def test_names_that_only_a_case_sensitive_disk_tells_apart() -> None:
    assert UnusedNames("bowl").of("Vase") == "Vase"
    assert UnusedNames("vase", "VASE-2").of("Vase") == "Vase-3"
    assert UnusedNames("\u00c9cu").of("e\u0301cu") == "e\u0301cu-2"
    names = UnusedNames()
    assert [names.of(name) for name in ("a", "A", "a")] == ["a", "A-2", "a-3"]
