"""What several requests at once share."""

from __future__ import annotations

import sys
import threading

from arttl.review.columns import Labels


def test_labels_are_folded_once_though_several_threads_search_at_the_same_time() -> None:
    labels = Labels()
    for number in range(2000):
        labels.code(f"Léonard {number}")
    begin, before = threading.Barrier(4), sys.getswitchinterval()

    def search() -> None:
        begin.wait()
        labels.folded()

    threads = [threading.Thread(target=search) for _ in range(4)]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert labels.folded() == [f"leonard {number}" for number in range(2000)]
    labels.code("Zoë")
    assert labels.folded()[-1] == "zoe" and len(labels.folded()) == 2001
