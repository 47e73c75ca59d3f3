"""What the report of the experiment says."""

from __future__ import annotations

from collections.abc import Sequence

from arttl.errors import counted
from arttl.experiment_report.contents import ClaimText, Contents, Wording
from arttl.experiment_report.tables import ReportTable
from arttl.reproduction.claims import Claim
from arttl.reproduction.experiment import Plan
from arttl.reproduction.figures import validation_curves
from arttl.reproduction.published import published
from arttl.reproduction.results import Results
from arttl.reproduction.run_lines import run_lines, settings_table
from arttl.reproduction.settings import DEFAULTS, Protocol
from arttl.reproduction.summary import main_figures, missing_figures
from arttl.version import __version__

_WORDING: dict[Protocol, Wording] = {
    "sabatelli2018": Wording(
        "Deep transfer learning for art classification: the experiment",
        "The paper's claims",
        "Where the paper's print misleads",
    ),
    "tonkes2022": Wording(
        "Convolutional networks and transformers for art classification: the experiment",
        "The publication's claims",
        "What the publication leaves open, and what is done otherwise here",
    ),
}


def report_contents(
    results: Results,
    tables: Sequence[ReportTable],
    claims: Sequence[Claim],
    panels: Sequence[tuple[str, bytes]],
) -> Contents:
    """All that the report shows, from what has been run so far.

    Args:
        results: of the runs.
        tables: in the order of the report.
        claims: from `examine_claims`.
        panels: from `draw_panels`.
    """
    plan = results.plan
    return Contents(
        wording=_WORDING[plan.settings.protocol],
        how=_how(plan),
        claims=[ClaimText(claim.text, claim.verdict, claim.note) for claim in claims],
        tables=tables,
        summary=main_figures(results),
        without_figure=missing_figures(results),
        plots=[
            plot
            for name, collection in plan.collections.items()
            for task in collection.usable
            if (plot := validation_curves(results, name, task))
        ],
        panels=panels,
        runs=run_lines(plan),
        settings=settings_table(plan),
        notes=_notes(plan),
    )


def _how(plan: Plan) -> list[str]:
    """How the figures were made, one sentence each."""
    settings, size = plan.settings, plan.experiment.fine_tuning.model.input_size
    states = [plan.experiment.state(run) for run in plan.matrix.runs]
    paper = settings.chosen_recipe == DEFAULTS["sabatelli2018"].recipe
    recipe = "the paper's text" if paper else f"the recipe {settings.chosen_recipe.name}"
    sentences = [
        f"{', '.join(settings.networks)} on {_where(plan)}.",
        f"{states.count('done')} of {counted(len(states), 'run')} done, {states.count('failed')} failed. Written by"
        f" arttl {__version__}.",
        f"Fine-tuning by {recipe}; off-the-shelf heads are logistic regressions solved to convergence on frozen"
        " features; tested is the epoch of the lowest validation loss.",
        f"Class rule {settings.classes}; {counted(settings.trainings, 'seed')}.",
    ]
    if settings.protocol == "tonkes2022":
        sentences[2] = sentences[2].replace(
            "tested is", "they have one seed, fine-tunings have all; tested is"
        )
    if size is not None:
        sentences.append(f"Every network sees {size} x {size} pixels.")
    if settings.quick:
        sentences.append("A quick run on a sample, to see that everything works: its figures mean nothing.")
    return sentences


def _where(plan: Plan) -> str:
    """The collections with their tasks."""
    if plan.settings.protocol == "tonkes2022":
        name = plan.settings.source.resolve().name if plan.settings.source else ""
        return f"samples of {name} ({', '.join(plan.collections)})"
    return " and ".join(
        f"{name} ({', '.join(collection.usable) or 'no task that can be trained'})"
        for name, collection in plan.collections.items()
    )


def _notes(plan: Plan) -> list[tuple[str, str]]:
    """On the publication; the paper's report has those on the later ones as well, whose figures it shows."""
    notes, protocol = published().notes, plan.settings.protocol
    return [
        (note.about, note.text)
        for note in notes
        if (note.source == "tonkes2022") == (protocol == "tonkes2022")
    ]
