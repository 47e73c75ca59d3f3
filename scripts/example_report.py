"""Makes docs/example-report.html: the paper's experiment on two small collections.

    python scripts/example_report.py --data DIR

The folder has the two collections of `recipes/README.md`, `gallery` and `paintings`, with `objects.csv` and `images`.
Two networks have weights in packages (the extra `weights`). The page was made without a network connection: timm could
not download those of the others, and their cells say so. Shards and runs stay in --work, so that the same command goes
on after a stop, and writes the page anew from runs that are done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from arttl.cli import run_command
from arttl.cpu import share_cores
from arttl.exit_status import status_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "example-report.html"
PACKAGED = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
WITHOUT_WEIGHTS = ("inception_v3", "resnet50", "vgg19", "densenet121")  # where timm cannot download them


def shard_flags(data: Path, name: str) -> list[str]:
    """The flags of `arttl shards` for a collection."""
    folder = data / name
    flags = ["--metadata", f"{folder}/objects.csv", "--images", f"{folder}/images"]
    flags += ["--object-number", "object_number", "--image", "file", "--split", "stratified"]
    flags += ["--near-duplicates", "together", "--seed", "0", "--tasks"]
    if name == "gallery":
        return [*flags, "type", "subject"]
    return [*flags, "artist", "material", "--mapping", f"artist={folder}/synonyms.csv"]


def write_page(work: Path) -> None:
    """Run what is not done yet, and write the page.

    Raises:
        ArttlError: as `arttl reproduce` does, and if a run failed.
    """
    share_cores()  # before anything imports torch
    from arttl.experiment_report.writing import render_report
    from arttl.files import write_text
    from arttl.reproduction.command import contents_of, run
    from arttl.reproduction.experiment import plan_experiment
    from arttl.reproduction.results import Results
    from arttl.reproduction.settings import ReproduceSettings

    settings = ReproduceSettings(
        source=work / "shards" / "gallery",
        target=work / "shards" / "paintings",
        backbones=(*PACKAGED, *WITHOUT_WEIGHTS),
        weights=tuple(f"{name}=packaged" for name in PACKAGED),
        scratch=PACKAGED[0],
        pair=("type:artist", "subject:material"),
        classes="min-count=9",
        input_size=96,
        recipe=Path("small-collections"),
        panels="MET.*",  # of the Metropolitan Museum, CC0; other pictures may not be passed on
        out=work / "runs" / "example",
    )
    run(settings)
    contents = contents_of(Results(plan_experiment(settings)))
    write_text(PAGE, render_report(contents, beside_runs=False))
    print(f"page       {PAGE}")


def main() -> int:
    """Pack, run, and write the page."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--data", type=Path, required=True, help="folder of the two collections")
    parser.add_argument("--work", type=Path, default=Path("build/example"), help="folder of shards and runs")
    arguments = parser.parse_args()
    for name in ("gallery", "paintings"):
        out = arguments.work / "shards" / name
        if not (out / "dataset.json").is_file():
            status = run_command("shards", [*shard_flags(arguments.data, name), "--out", str(out)])
            if status:
                return status
    return status_of(lambda: write_page(arguments.work))


if __name__ == "__main__":
    sys.exit(main())
