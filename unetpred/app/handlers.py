"""What the page does when something in it is clicked: from widgets to scores and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from unetpred.app import history, views
from unetpred.app.engine import Engine, Spot
from unetpred.app.gradio_import import import_gradio
from unetpred.app.mapping import Mapped, mapping, places, stop
from unetpred.app.messages import geometry, hint_of, progress_of, told_of
from unetpred.app.opened import Picture, open_picture
from unetpred.app.painting import painted_mask
from unetpred.app.segmenting import Segmented, save_mask, segmenting
from unetpred.app.sizes import Scale, hole_side, rescaled, scale_of
from unetpred.app.tuning import tuning
from unetpred.errors import InputError
from unetpred.holes.contexts import DEFAULT_CONTEXT
from unetpred.holes.hole import Hole

gr = import_gradio()

REDRAWN = 1.5  # seconds between two pictures of a growing map

NO_PICTURE = "choose an example, or upload a picture, first"
NO_PLACE = "click on a place of the picture first"


class Handlers:
    """The events of a page; what belongs to one tab comes and goes as arguments.

    Parameters
    ----------
    engine : Engine
    samples : list of str
        Files of the examples.
    cache : str
        The folder that Gradio serves files from.
    """

    def __init__(self, engine: Engine, samples: list[str], cache: str):
        self.engine, self.samples, self.cache = engine, samples, cache

    # pictures

    def uploaded(self, file: str | None) -> tuple:
        """A picture was uploaded."""
        if file is None:
            raise InputError(NO_PICTURE)
        return self.opened(open_picture(file))

    def chosen(self, index: int) -> tuple:
        """An example was chosen."""
        if not 0 <= int(index) < len(self.samples):
            raise InputError(f"there is no example {int(index)}")
        return self.opened(open_picture(self.samples[int(index)]))

    def opened(self, picture: Picture) -> tuple:
        """Show another picture: picture, spot, view, geometry, and what is empty now."""
        return (
            picture,
            None,
            picture.shown(),
            geometry(picture),
            hint_of(picture),
            gr.Gallery(value=None, visible=False),
            "",
            gr.Code(value=None, visible=False),
            None,
            None,
            _hidden_plot(),
            "",
        )

    def cleared(self) -> tuple:
        """Hide what was drawn of the picture before."""
        return _hidden_plot(), None, None, "", ""

    def edited(self, picture: Picture | None) -> Any:
        """The picture to paint over."""
        return (
            None
            if picture is None
            else {
                "background": picture.shown(),
                "layers": [],
                "composite": None,
            }
        )

    # scores

    def clicked(
        self,
        event: gr.SelectData,  # type: ignore[name-defined]
        picture: Picture | None,
        rows: list,
        *settings: Any,
    ) -> tuple:
        """A place was clicked on."""
        if picture is None:
            raise InputError(NO_PICTURE)
        column, row = event.index
        spot = self._spot(picture.place(column, row), *settings)
        return *self._scored(picture, rows, spot), _hidden_plot()

    def changed(
        self, picture: Picture | None, spot: Spot | None, rows: list, *settings: Any
    ) -> tuple:
        """A setting was changed: score the same place with it."""
        if picture is None or spot is None:
            return tuple(gr.skip() for _ in range(9))
        *_, context, weights = settings
        if spot.hole is None:
            after = replace(spot, context=_context(context), weights=weights)
        else:
            assert spot.hole.center is not None
            after = self._spot(spot.hole.center, *settings)
            if after == spot:
                return tuple(gr.skip() for _ in range(9))
        return *self._scored(picture, rows, after), gr.skip()

    def painted(
        self, editor: dict | None, picture: Picture | None, rows: list, *settings: Any
    ) -> tuple:
        """A hole was painted."""
        if picture is None:
            raise InputError(NO_PICTURE)
        mask = painted_mask(editor, picture.size)
        spot = Spot(None, mask, _context(settings[4]), settings[5])
        return *self._scored(picture, rows, spot), _hidden_plot()

    def _spot(
        self,
        center: tuple[int, int] | None,
        size: float,
        units: str,
        shape: Any,
        per_degree: float | None,
        context: str,
        weights: str,
    ) -> Spot:
        side = hole_side(size, units, per_degree)
        return Spot(Hole(side, shape, center), None, _context(context), weights)

    def _scored(self, picture: Picture, rows: list, spot: Spot) -> tuple:
        answer = self.engine.score(picture, spot)
        rows = [*rows, answer.row][-history.MOST :]
        call = spot.call(picture, self.engine.content)
        return (
            spot,
            views.marked(picture, spot, answer),
            told_of(picture, spot, answer),
            gr.Gallery(value=views.in_files(views.panels(answer), self.cache), visible=True),
            views.scores_table(answer),
            gr.Code(value=call, visible=True),
            rows,
            history.shown(rows),
        )

    def tuned(self, picture: Picture | None, spot: Spot | None) -> Iterator:
        """Draw the size tuning of the place."""
        if picture is None or spot is None:
            raise InputError(NO_PLACE if picture else NO_PICTURE)
        drawn = 0.0
        rows: list[dict] = []
        for rows in tuning(self.engine, picture, spot):
            if time.monotonic() - drawn > 0.4:
                yield gr.Plot(value=views.tuning_figure(rows), visible=True)
                drawn = time.monotonic()
        size = None if spot.hole is None else float(spot.hole.sizes[0])
        yield gr.Plot(value=views.tuning_figure(rows, size), visible=True)

    def retuned(self, picture: Picture | None, spot: Spot | None) -> Iterator:
        """The size was changed: draw the size tuning of the place, if there is one."""
        if picture is None or spot is None or spot.hole is None:
            yield gr.skip()
        else:
            yield from self.tuned(picture, spot)

    # maps

    def mapped(self, picture: Picture | None, stride: float, *settings: Any) -> Iterator:
        """Map the whole picture."""
        if picture is None:
            raise InputError(NO_PICTURE)
        spot = self._spot(None, *settings)
        begin = drawn = time.monotonic()
        found: Mapped | None = None
        for found in mapping(self.engine, picture, spot, int(stride)):
            now = time.monotonic()
            redraw = now - drawn > REDRAWN
            figure = gr.Plot(value=views.map_figure(found), visible=True) if redraw else gr.skip()
            drawn = now if redraw else drawn
            yield figure, progress_of(found, now - begin), found
        assert found is not None
        words = progress_of(found, time.monotonic() - begin)
        yield gr.Plot(value=views.map_figure(found), visible=True), words, found

    def stopped(self, found: Mapped | None) -> tuple:
        """A map was cancelled: show what there is of it."""
        if found is None:
            return gr.skip(), "Cancelled."
        stop(self.engine, found)
        words = f"Cancelled after {found.done} of {found.total} places."
        return gr.Plot(value=views.map_figure(found), visible=True), words

    def estimated(self, picture: Picture | None, stride: float, *settings: Any) -> str:
        """How many places the map will have."""
        if picture is None:
            return ""
        try:
            side = hole_side(settings[0], settings[1], settings[3])
        except InputError:
            return ""
        count = places(picture, int(stride), side)
        return f"{count} places. Each is scored as a click there would be."

    # files

    def save_table(self, rows: list) -> Any:
        """Write the history."""
        if not rows:
            raise InputError("nothing was scored yet; " + NO_PLACE)
        return gr.Files(value=history.save_table(rows, self.engine), visible=True)

    def save_figure(self, picture: Picture | None, spot: Spot | None) -> Any:
        """Write the figure of the last hole."""
        if picture is None or spot is None:
            raise InputError(NO_PLACE if picture else NO_PICTURE)
        return gr.Files(value=history.save_figure(picture, spot, self.engine), visible=True)

    def save_map(self, found: Mapped | None) -> Any:
        """Write the map."""
        if found is None or not found.done:
            raise InputError("nothing was mapped yet; map the picture first")
        return gr.Files(value=history.save_map(found, self.engine), visible=True)

    # degrees

    def rescaled(self, units: str, per_degree: float | None, size: float, before: Scale) -> tuple:
        """The unit of sizes was changed: the slider has other ends then."""
        if units == "deg" and not per_degree:
            gr.Warning("degrees need pixels per degree: give them first", title="")
            return "px", gr.skip(), gr.skip()
        return gr.skip(), *self._slider(scale_of(units, per_degree), size, before)

    def degree_changed(
        self, units: str, per_degree: float | None, size: float, before: Scale
    ) -> tuple:
        """What a degree is was changed. The unit may be chosen anew meanwhile: it is no output."""
        if units == "deg" and not per_degree:
            raise InputError("degrees need pixels per degree; give them, or choose px")
        return self._slider(scale_of(units, per_degree), size, before)

    def _slider(self, after: Scale, size: float, before: Scale) -> tuple:
        if after == before:
            return gr.skip(), gr.skip()
        least, most, step = after.ends()
        slider = gr.Slider(
            minimum=least,
            maximum=most,
            step=step,
            value=rescaled(size, before, after),
            label=f"size ({'degrees' if after.units == 'deg' else 'px'})",
        )
        return slider, after

    # segmentation

    def segmented(self, picture: Picture | None, weights: str) -> Iterator:
        """Compute the mask of the picture."""
        if picture is None:
            raise InputError(NO_PICTURE)
        found: Segmented | None = None
        yield gr.skip(), gr.skip(), "Loading the network ...", "", None
        for found in segmenting(self.engine, picture, weights):
            yield gr.skip(), gr.skip(), f"{found.share:.0%} of the rows are done.", "", None
        assert found is not None
        yield found.coloured(), found.overlay(), "Done.", found.legend(), found

    def save_mask(self, found: Segmented | None) -> Any:
        """Write the mask."""
        if found is None:
            raise InputError("there is no mask yet; segment the picture first")
        return gr.Files(value=save_mask(found), visible=True)


def _hidden_plot() -> Any:
    """In place of a curve or map of what is shown no more."""
    return gr.Plot(value=None, visible=False)


def _context(text: str) -> Any:
    return "full" if text == "full" else int(text or DEFAULT_CONTEXT)
