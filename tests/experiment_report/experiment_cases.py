"""Contents of reports of experiments of any size, made up."""

from __future__ import annotations

import random

from arttl.experiment_report.contents import ClaimText, Contents, RunLine, Verdict, Wording
from arttl.experiment_report.plots import Curve, Plot
from arttl.experiment_report.tables import FigureText, ReportTable

VERDICTS: tuple[Verdict, ...] = ("held", "did not hold", "not decided", "not tested")
MODES = ("off-the-shelf", "fine-tune", "scratch", "joint")


def made_up(networks: int = 3, tasks: int = 2, seeds: int = 1, epochs: int = 6, failed: int = 1) -> Contents:
    """A report of two collections, each with the tasks, networks and seeds, in four modes."""
    rng = random.Random(0)
    names = [f"network_{index}" for index in range(networks)]
    of_tasks = [f"task{index}" for index in range(tasks)]
    runs = [
        RunLine(
            f"{collection}/{name}/{task}-{mode}-seed{seed}",
            collection,
            task,
            name,
            mode,
            "imagenet" if collection == "one" else f"one/{name}/{task}-fine-tune-seed{seed}",
            str(seed),
            "done",
            f"runs/{collection}/{name}/{task}-{mode}-seed{seed}",
        )
        for collection in ("one", "two")
        for name in names
        for task in of_tasks
        for mode in MODES
        for seed in range(seeds)
    ]
    for index in range(failed):
        runs[-1 - index] = RunLine(
            **{**vars(runs[-1 - index]), "state": "failed", "error": f"the disk is full, {index}"}
        )

    def figure(collection: str, name: str, task: str, mode: str) -> FigureText:
        value = rng.uniform(20, 99)
        text = f"{value:.1f} ({value - 5:.1f}–{value + 5:.1f})"
        return FigureText(text, f"{collection}/{name}/{task}-{mode}-seed0")

    def table(collection: str) -> ReportTable:
        rows = [
            (
                task,
                name,
                f"{rng.randint(200, 3000):,}",
                f"{rng.uniform(20, 99):.1f}",
                figure(collection, name, task, "off-the-shelf"),
                f"{rng.uniform(-9, 9):+.1f}",
                *(
                    ("no weights here", "")
                    if index == 1
                    else (figure(collection, name, task, "fine-tune"), "+1.0")
                ),
                "35.7",
            )
            for task in of_tasks
            for index, name in enumerate(names)
        ]
        columns = (
            *("task", "network", "X", "frozen: theirs", "frozen: ours", "frozen: difference"),
            *("tuned: ours", "tuned: difference", "majority"),
        )
        return ReportTable(
            f"table-{collection}", f"Table: {collection}, in per cent", columns, rows, ("A note.",), names=2
        )

    layers = ReportTable(
        "layers-one",
        "Which layers know what: one, a linear probe at every stage",
        ("network", "stage", *(f"{task}: {each}" for task in of_tasks for each in ("probe", "share"))),
        [
            (name, f"blocks.{stage}", *(f"{rng.uniform(30, 95):.1f}" for _ in range(2 * tasks)))
            for name in names
            for stage in range(7)
        ],
        names=2,
        heat=tuple(f"{task}: probe" for task in of_tasks),
    )
    summary = ReportTable(
        "summary",
        "The highest test accuracies in per cent",
        ("collection", "task", "off-the-shelf", "fine-tuned", "majority"),
        [
            (collection, task, *(figure(collection, names[0], task, mode) for mode in MODES[:2]), "25.0")
            for collection in ("one", "two")
            for task in of_tasks
        ],
        names=2,
    )
    plots = [
        Plot(
            f"one: {task}",
            [
                Curve(
                    name,
                    mode,
                    "" if mode != "joint" else "two",
                    [rng.uniform(20, 95) for _ in range(epochs)],
                    f"one/{name}/{task}-{mode}-seed0",
                    (2, 77.0) if mode == "fine-tune" else None,
                )
                for name in names
                for mode in MODES[1:]
            ],
        )
        for task in of_tasks
    ]
    return Contents(
        Wording("The experiment", "The claims", "Notes"),
        [f"{len(runs) - failed} of {len(runs)} runs done.", "Fine-tuning by a recipe."],
        [
            ClaimText(f"Claim {index}.", verdict, "Ahead in 1 of 2 pairs.")
            for index, verdict in enumerate(VERDICTS)
        ],
        summary,
        [("no weights here", 4)],
        [table("one"), table("two"), layers],
        plots,
        [],
        runs,
        ReportTable("settings", "In common", ("setting", *MODES), [("epochs", "", "6", "6", "6")]),
        [("print", "misleads")],
    )
