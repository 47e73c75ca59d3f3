"""The makers of a Linked Art object, with the qualifiers that its attributions carry.

An artist is an actor that carried out the production or a part of it. Others are named with a qualifier: assigned to
the production (`attributed_by` or `assigned_by`, an AttributeAssignment classified as `attributed to` or the like),
the master of a group that made it (`formed_by.influenced_by`), or who influenced it.
"""

from __future__ import annotations

from collections.abc import Iterator

from arttl.attribution.qualifiers import AAT_QUALIFIERS, Maker, qualifies, split_name
from arttl.linked_art.terms import (
    AI_CONTENT,
    AI_TECHNIQUE,
    Node,
    aat,
    address,
    addresses,
    classes,
    kind,
    name_of,
    nodes,
    several,
)

_ACTORS = ("Person", "Group", "Actor", "E21_Person", "E74_Group", "E39_Actor")
_PRODUCTIONS = ("Production", "Creation", "Activity", "E12_Production")
_NO_QUALIFIERS = (
    "300404450",
    "300404451",
    "300379012",
    "300056109",
)  # primary, secondary, undetermined, attribution
_OF_MAKERS = ("", "carried_out_by", "part", "produced_by", "influenced_by")  # assigned properties
_DEEPEST = 8


def makers(record: Node, language: str | None) -> list[Maker]:
    """The makers in the record's order, each qualifier and name once.

    What software has assigned (`is_by_software`) is left out: a suggestion is no attribution.

    A maker that is given by an address alone has no name, and that address (or other `id`) as its only one.
    """
    of_parts = [
        maker
        for production in productions(record)
        for maker in (
            *_carried_out(production, _role(production, language), language),
            *_assigned(production, language),
        )
    ]
    of_object = [
        maker
        for assignment in nodes(record, "attributed_by")
        if _property(assignment) in _OF_MAKERS[1:] and not is_by_software(assignment)
        for maker in _of_assignment(assignment, language)
    ]
    return list(
        {(maker.name or maker.addresses, maker.qualifier): maker for maker in of_parts + of_object}.values()
    )


def productions(record: Node) -> Iterator[Node]:
    """The production, and its parts at any depth, in order."""
    for production in nodes(record, "produced_by"):
        yield from _with_parts(production, 0)


def _with_parts(production: Node, depth: int) -> Iterator[Node]:
    yield production
    for part in nodes(production, "part") if depth < _DEEPEST else ():
        yield from _with_parts(part, depth + 1)


def _carried_out(production: Node, qualifier: str, language: str | None) -> Iterator[Maker]:
    for actor in nodes(production, "carried_out_by"):
        yield from _makers_of(actor, qualifier, language)
    for actor in nodes(production, "influenced_by"):
        if kind(actor) in _ACTORS:  # and not the object that was copied
            yield from _makers_of(actor, qualifier or "influenced by", language)


def _assigned(production: Node, language: str | None) -> Iterator[Maker]:
    for assignment in nodes(production, "attributed_by", "assigned_by"):
        if _property(assignment) in _OF_MAKERS and not is_by_software(assignment):
            yield from _of_assignment(assignment, language)


def _of_assignment(assignment: Node, language: str | None) -> Iterator[Maker]:
    qualifier = _qualifier(assignment, language)
    for assigned in nodes(assignment, "assigned"):
        if kind(assigned) in _ACTORS or _property(assignment) == "carried_out_by":
            yield from _makers_of(assigned, qualifier, language)
        elif kind(assigned) in _PRODUCTIONS:
            for part in _with_parts(assigned, 0):
                yield from _carried_out(part, _role(part, language) or qualifier, language)


def _makers_of(actor: Node, qualifier: str, language: str | None) -> Iterator[Maker]:
    """An actor; of a group around a master the master."""
    own = [
        name
        for assignment in nodes(actor, "attributed_by", "assigned_by")
        if qualifies(name := _qualifier(assignment, language))
    ]
    qualifier = qualifier or next(iter(own), "")
    name = name_of(actor, language)
    masters = [
        master for formation in nodes(actor, "formed_by") for master in nodes(formation, "influenced_by")
    ]
    before, rest = split_name(name)
    for master in masters:
        group = before or " ".join(f"{_words(term, language)} of" for term in nodes(actor, "classified_as"))
        yield _maker(master, f"{qualifier} {group or 'group of'}".strip(), language)
    if masters:
        return
    if before:
        yield Maker(rest, f"{qualifier} {before}".strip())
    else:
        yield _maker(actor, qualifier, language)


def _maker(actor: Node, qualifier: str, language: str | None) -> Maker:
    name = name_of(actor, language)
    return Maker(name, qualifier, addresses(actor) if name else (address(actor),))


def _role(production: Node, language: str | None) -> str:
    """The first classification or technique that says that who carried it out is no artist, or not surely."""
    for concept in nodes(production, "classified_as", "technique"):
        words = _words(concept, language)
        if aat(concept) in AAT_QUALIFIERS or (aat(concept) not in _NO_QUALIFIERS and qualifies(words)):
            return words
    return ""


def _qualifier(assignment: Node, language: str | None) -> str:
    """What an assignment says of the maker; empty where it only gives the evidence, such as a signature."""
    for concept in nodes(assignment, "classified_as"):
        if aat(concept) not in _NO_QUALIFIERS and (words := _words(concept, language)):
            return words
    name = name_of(assignment, language)
    if qualifies(name):
        return name
    evidence = [
        *several(assignment.get("motivated_by")),
        *several(assignment.get("influenced_by")),  # since version 1.0 of the model
    ]
    return "" if evidence else AAT_QUALIFIERS["300404269"]


def is_by_software(assignment: Node) -> bool:
    """Whether an assignment is marked as made by artificial intelligence (https://linked.art/model/assertion/)."""
    techniques = {aat(technique) for technique in nodes(assignment, "technique")}
    return AI_CONTENT in classes(assignment) or AI_TECHNIQUE in techniques


def software_assignments(record: Node) -> int:
    """How many assignments of an object, and of its productions, software has made."""
    assigned = [
        *nodes(record, "attributed_by"),
        *(
            each
            for production in productions(record)
            for each in nodes(production, "attributed_by", "assigned_by")
        ),
    ]
    return sum(map(is_by_software, assigned))


def _words(concept: Node, language: str | None) -> str:
    return name_of(concept, language) or AAT_QUALIFIERS.get(aat(concept), "")


def _property(assignment: Node) -> str:
    """The last part of the name of the property that is assigned."""
    for value in several(assignment.get("assigned_property")):
        text = value if isinstance(value, str) else address(value) if isinstance(value, dict) else ""
        return text.rpartition("/")[2].rpartition(":")[2]
    return ""
