"""The cards of an audit: per photograph the labels that it contradicts, the most doubtful first."""

from __future__ import annotations

from pathlib import Path

from arttl.errors import counted
from arttl.exchange.doubts import DoubtRecord, read_doubts
from arttl.reports.cards import Card, Claim, Likely


def audited_cards(folder: Path) -> list[Card]:
    """A card per photograph of `audit.parquet`, those with the most doubtful label first.

    Args:
        folder: that `arttl audit` has made.

    Raises:
        ArttlError: if it holds no such table, naming the row that cannot be used.
    """
    claims: dict[tuple[str, str, str], list[Claim]] = {}
    for doubt in read_doubts(folder):
        head = doubt.object_number, doubt.key, doubt.institution or ""
        claims.setdefault(head, []).append(_claim(doubt))
    cards = [Card(*head, tuple(of_photograph)) for head, of_photograph in claims.items()]
    return sorted(cards, key=lambda card: -card.doubt)


def _claim(doubt: DoubtRecord) -> Claim:
    notes = []
    if doubt.label is not None and doubt.label_probability is not None and doubt.kind == "label":
        notes.append(f"{doubt.label!r} has {100 * doubt.label_probability:.1f}%")
    if doubt.kind == "label" and doubt.label is None:
        notes.append("a label seems to be missing")
    if doubt.kind == "label" and doubt.suggested is None:
        notes.append("a label seems to be one too many")
    if (pair := doubt.pair) is not None:
        notes.append(
            f"{doubt.label!r} ({counted(pair.objects, 'object')}) and {pair.task} {pair.label!r}"
            f" ({pair.other_objects:,}) are together here alone"
        )
    if len(doubt.networks) > 1:
        agreeing = [network.network for network in doubt.networks if network.agrees]
        notes.append(f"contradicted by {len(agreeing)} of {len(doubt.networks)} networks")
    for near in doubt.nearest:
        labels = "; ".join(", ".join(each.labels) for each in near.catalogued if each.task == doubt.task)
        notes.append(f"near: {near.object_number}" + (f", {labels}" if labels else ""))
    status = "pair" if doubt.kind == "pair" else "contradicted" if doubt.confident else "doubtful"
    return Claim(
        task=doubt.task,
        status=status,
        labels=() if doubt.suggested is None else (doubt.suggested,),
        probability=doubt.suggested_probability,
        doubt=doubt.score,
        catalogued=doubt.catalogued,
        ranked=tuple(Likely(each.label, each.probability) for each in doubt.ranked),
        notes=tuple(notes),
    )
