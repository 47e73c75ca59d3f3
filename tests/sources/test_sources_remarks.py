from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from arttl.sources.remarks import Note, PassedOver, Remarks

_REMARKS = st.lists(
    st.one_of(
        st.builds(Note, st.sampled_from(["Three kinds of events.", "Others."])),
        st.builds(PassedOver, st.sampled_from(["links", "folders"]), st.text(max_size=3), st.integers(1, 5)),
    )
)


def _sum(remarks: list[PassedOver | Note]) -> Remarks:
    total = Remarks()
    for remark in remarks:
        total.add(remark)
    return total


@given(_REMARKS)
def test_items_add_up_to_the_same(remarks: list[PassedOver | Note]) -> None:
    total = _sum(remarks)
    assert _sum(list(total.items())) == total
    for kind in ("links", "folders"):
        counts = [
            remark.count for remark in remarks if isinstance(remark, PassedOver) and remark.kind == kind
        ]
        assert total.counts[kind] == sum(counts)


def test_sentences() -> None:
    total = _sum(
        [PassedOver("links", "a", 2), Note("Three kinds."), *(PassedOver("links", x) for x in "bcd")]
    )
    assert total.sentences() == ["Three kinds.", "passed over: 5 links (a, b, c, ...)"]
