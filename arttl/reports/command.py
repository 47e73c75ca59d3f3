"""`arttl report`: suggestions and doubtful labels as pages to look at."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from arttl.console import Reporter
from arttl.errors import ArttlError, counted
from arttl.exchange.predictions import read_object_numbers
from arttl.files import whole_folder, write_text
from arttl.models import MultiTaskModel, TrainedModel, load_trained_model
from arttl.pages import MOST_CARDS, render_page, shown
from arttl.reports.about import About, about_model
from arttl.reports.audited import audited_cards
from arttl.reports.cards import STATUSES, Card
from arttl.reports.counting import Counts
from arttl.reports.pictures import CardPictures, PicturedCard
from arttl.reports.searching import FILE as SEARCH
from arttl.reports.searching import SearchIndex
from arttl.reports.settings import ReportSettings
from arttl.reports.suggested import Extremes, suggested_cards
from arttl.suggesting.pictures import open_pictures
from arttl.version import __version__

_PER_PAGE = 1000  # cards


@dataclass(frozen=True)
class _Link:
    """A page of a folder.

    Attributes:
        number: of the page, from 1.
        first, last: numbers of its cards, from 1.
        names: of the first and the last.
    """

    number: int
    first: int
    last: int
    names: tuple[str, str]

    @property
    def file(self) -> str:
        """Its name."""
        return page_file(self.number)


def page_file(number: int) -> str:
    """The name of a page, from 1."""
    return f"page-{number:04}.html"


class ReportWriter:
    """Writes one report."""

    def __init__(self, settings: ReportSettings, model: TrainedModel | None, reporter: Reporter) -> None:
        """Open what is reported.

        Args:
            settings: of the command.
            model: that suggested; None: nothing is said of it.
            reporter: shows the progress.

        Raises:
            ArttlError: if it cannot be read, or holds too much for one file.
        """
        self.counts = Counts(agreement=settings.audit is None)
        self._settings, self._reporter = settings, reporter
        self._extremes = None if settings.predictions is None else Extremes()
        self._cards: Iterable[Card]
        if settings.audit is not None:
            self._cards = audited = audited_cards(settings.audit)
            self.total, named = len(audited), f"--audit {settings.audit}"
        else:
            assert settings.predictions is not None
            self.total = sum(1 for _ in read_object_numbers(settings.predictions))
            self._cards, named = (
                suggested_cards(settings.predictions),
                f"--predictions {settings.predictions}",
            )
        if not self.total:
            raise ArttlError(f"{named} lists no doubtful label: there is nothing to report")
        if self.total > MOST_CARDS and not settings.paged:
            raise ArttlError(
                f"{named} holds {self.total:,} pictures, and one file takes up to {MOST_CARDS:,}: pass --paged and"
                " name a folder with --out"
            )
        self._model = model
        has_pictures = settings.images is not None or settings.shards is not None
        pictures = open_pictures(settings.images, settings.shards) if has_pictures else None
        mapped = model if settings.maps and isinstance(model, MultiTaskModel) else None
        self.pictures = CardPictures(pictures, mapped)
        self.has_maps = mapped is not None and pictures is not None

    def write(self) -> None:
        """Write the file, or the folder; it appears whole.

        Raises:
            ArttlError: if a picture's model, a row or the disk fails.
        """
        with self._reporter.progress("pictures", self.total) as bar:

            def cards() -> Iterator[PicturedCard]:
                for each in self.pictures.of(self._cards):
                    self._count(each.card)
                    bar.advance()
                    yield each

            if not self._settings.paged:
                gallery = list(cards())
                write_text(self._settings.out, self._page(gallery, about=self._about()))
                return
            with whole_folder(self._settings.out) as folder:
                self._write_pages(folder, cards())

    def _write_pages(self, folder: Path, cards: Iterator[PicturedCard]) -> None:
        links: list[_Link] = []
        index = SearchIndex()
        while gallery := list(islice(cards, _PER_PAGE)):
            first = len(index) + 1
            for each in gallery:
                index.add(each.card)
            names = gallery[0].card.title, gallery[-1].card.title
            link = _Link(len(links) + 1, first, first + len(gallery) - 1, names)
            write_text(folder / link.file, self._page(gallery, link=link))
            links.append(link)
        values = {"name": self._name, "total": self.total, "version": __version__}
        text = render_page(
            "search.html",
            styles=("report.css",),
            script="search.js",
            index=index.values(),
            per_page=_PER_PAGE,
            **values,
        )
        write_text(folder / SEARCH, text)
        write_text(folder / "index.html", self._page([], about=self._about(), links=links))

    def _count(self, card: Card) -> None:
        self.counts.add(card)
        if self._extremes is not None:
            for claim in card.claims:
                self._extremes.add(claim)

    def _about(self) -> About:
        if self._model is None:
            return About()
        return about_model(self._model, self._settings.precision, self._extremes)

    def _page(
        self,
        gallery: Sequence[PicturedCard],
        *,
        about: About | None = None,
        link: _Link | None = None,
        links: Sequence[_Link] = (),
    ) -> str:
        """A page with a gallery, with what is said of all cards, or both."""
        counts = Counts(agreement=self._settings.audit is None)
        for each in gallery:
            counts.add(each.card)
        shown_counts = self.counts if about is not None else counts
        values: dict[str, Any] = {
            "name": self._name,
            "is_audit": self._settings.audit is not None,
            "gallery": gallery,
            "tasks": list(map(shown, counts.tasks)),
            "statuses": {status: STATUSES[status] for status in shown_counts.statuses},
            "problems": counts.problems,
            "has_maps": self.has_maps,
            "summary": shown_counts.summary(),
            "total": self.total,
            "unreadable": shown_counts.problems,
            "classes": self.counts.classes(about.tested) if about is not None else [],
            "about": about,
            "link": link,
            "links": links,
            "beside": self._beside(link) if link is not None else [],
            "version": __version__,
        }
        return render_page("report.html", styles=("report.css",), script="report.js", **values)

    @property
    def _name(self) -> str:
        """Of the report."""
        return "Suggestions" if self._settings.audit is None else "Doubtful labels"

    def _beside(self, link: _Link) -> list[tuple[str, str]]:
        """Text and file of the pages before and after one."""
        last = -(-self.total // _PER_PAGE)
        beside = [("Page before", link.number - 1)] if link.number > 1 else []
        beside += [("Next page", link.number + 1)] if link.number < last else []
        return [(text, page_file(number)) for text, number in beside]


def run(settings: ReportSettings) -> None:
    """Write the report, and print what is in it.

    Raises:
        ArttlError: for everything that the user can mend.
    """
    started = time.perf_counter()
    reporter = Reporter(True)
    model = None if settings.model is None else load_trained_model(settings.model)
    writer = ReportWriter(settings, model, reporter)
    writer.write()
    if settings.images is None and settings.shards is None:
        reporter.say("pictures   none: name where they are with --images or --shards")
    for reason, count in writer.pictures.missing.items():
        reporter.say(f"pictures   {counted(count, 'card')} without one: {reason}")
    if model is None:
        reporter.say("model      not named with --model: no maps, and no word on promises and training")
    elif settings.maps and not writer.has_maps and not isinstance(model, MultiTaskModel):
        reporter.say("maps       none: arttl visualize shows those of the networks of a fused model")
    size = sum(path.stat().st_size for path in _files(settings.out)) / 1e6
    pages = f", {counted(len(_files(settings.out)), 'page')}" if settings.paged else ""
    reporter.say(
        f"report     {settings.out}: {counted(writer.counts.cards, 'picture')}{pages}, {size:.1f} MB,"
        f" in {time.perf_counter() - started:.1f} s"
    )


def _files(out: Path) -> list[Path]:
    return sorted(out.iterdir()) if out.is_dir() else [out]
