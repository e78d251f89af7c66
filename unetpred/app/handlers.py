"""What the page does when something in it is clicked: from widgets to scores and back."""

from __future__ import annotations

import functools
import html
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from unetpred.app import history, views
from unetpred.app.engine import Answer, Engine, Spot
from unetpred.app.gradio_import import import_gradio
from unetpred.app.mapping import Mapped, mapping, places, stop
from unetpred.app.opened import Picture, open_picture
from unetpred.app.segmenting import Segmented, save_mask, segmenting
from unetpred.app.tuning import LARGEST, tuning
from unetpred.errors import InputError, reason_of
from unetpred.holes.contexts import DEFAULT_CONTEXT
from unetpred.holes.hole import Hole

gr = import_gradio()
logger = logging.getLogger(__name__)

SLOW = 1.0  # seconds, from which on the page tells of faster weights
REDRAWN = 1.5  # seconds between two pictures of a growing map
PAINTED = 128  # of 255, the opacity from which on a pixel is painted

NO_PICTURE = "choose an example, or upload a picture, first"
NO_PLACE = "click on a place of the picture first"


def told(handler: Callable) -> Callable:
    """Turn what goes wrong into one line in the page; what nobody expected goes to the log."""

    def line(error: Exception) -> Any:
        if isinstance(error, InputError | OSError):
            text = str(error).replace("`", "")
        elif isinstance(error, MemoryError):
            text = "out of memory; a smaller picture needs less"
        else:
            logger.error("unetpred: the page: %s", reason_of(error), exc_info=error)
            text = "something went wrong here; the terminal of the page tells what"
        # its text is read as HTML
        return gr.Error(html.escape(text), duration=12, title="", print_exception=False)

    @functools.wraps(handler)
    def call(*given: Any, **named: Any) -> Any:
        try:
            return handler(*given, **named)
        except gr.Error:
            raise
        except Exception as error:
            raise line(error) from None

    @functools.wraps(handler)
    def each(*given: Any, **named: Any) -> Iterator:
        try:
            yield from handler(*given, **named)
        except gr.Error:
            raise
        except Exception as error:
            raise line(error) from None

    import inspect

    return each if inspect.isgeneratorfunction(handler) else call


def hole_side(size: float, units: str, pixels_per_degree: float | None) -> int:
    """The side of a hole in whole px, as the package rounds it."""
    wanted = Hole(float(size), units="deg" if units == "deg" else "px")
    (side,) = wanted.in_pixels(pixels_per_degree or None).sizes
    return int(side)


class Handlers:
    """The events of a page; what belongs to one tab comes and goes as arguments.

    Parameters
    ----------
    engine : Engine
    samples : list of str
        Files of the examples.
    """

    def __init__(self, engine: Engine, samples: list[str]):
        self.engine, self.samples = engine, samples

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
        return _hidden_plot(), None, None

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
            gr.Gallery(value=views.panels(answer), visible=True),
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

    def rescaled(
        self, picture: Picture | None, units: str, per_degree: float | None, size: float
    ) -> tuple:
        """The unit of sizes was changed: the slider has other ends then."""
        if units == "deg" and not per_degree:
            gr.Warning("degrees need pixels per degree: give them first", title="")
            units = "px"
        if units == "deg" and per_degree:
            most = round(LARGEST / per_degree, 2)
            size = size / per_degree if size > most else size
            return "deg", gr.Slider(
                minimum=0.01, maximum=most, step=0.01, value=round(size, 2), label="size (degrees)"
            )
        if size < 8 and per_degree:
            size = min(max(8, round(size * per_degree)), LARGEST)
        return "px", gr.Slider(
            minimum=8, maximum=LARGEST, step=1, value=round(size), label="size (px)"
        )

    # segmentation

    def segmented(self, picture: Picture | None, weights: str) -> Iterator:
        """Compute the mask of the picture."""
        if picture is None:
            raise InputError(NO_PICTURE)
        found: Segmented | None = None
        yield gr.skip(), gr.skip(), "Loading the network ...", None
        for found in segmenting(self.engine, picture, weights):
            yield gr.skip(), gr.skip(), f"{found.share:.0%} of the rows are done.", None
        assert found is not None
        shares = ", ".join(f"{views.plain(name)} {part:.1%}" for name, part in found.shares())
        yield found.coloured(), found.overlay(), f"Done: {shares}.", found

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


def geometry(picture: Picture | None) -> str:
    """Tells the script of the pointer how large the picture is."""
    height, width = picture.size if picture else (0, 0)
    return f'<span id="geometry" data-width="{width}" data-height="{height}"></span>'


def hint_of(picture: Picture | None) -> str:
    """What to do with a picture."""
    if picture is None:
        return "Upload a picture."
    height, width = picture.size
    return f"**{views.plain(picture.name)}**, {width} x {height} px. Click on a place of it."


def told_of(picture: Picture, spot: Spot, answer: Answer) -> str:
    """What was scored, how long it took, and what is faster."""
    row = answer.row
    hole = "painted hole" if spot.hole is None else f"{spot.hole.shape} of {row['size']:g} px"
    words = f"**{views.plain(picture.name)}**: {hole} at ({row['x']}, {row['y']}), "
    words += f"{answer.seconds:.2f} s with {views.plain(spot.weights)}."
    if answer.seconds > SLOW and spot.weights != "lite":
        words += " `lite` is about ten times as fast; its scores are its own."
    return words


def progress_of(found: Mapped, seconds: float) -> str:
    """How far a map is, and how long it will take."""
    if found.done == found.total:
        return f"{found.total} places, {seconds:.0f} s."
    left = ""
    if found.done:
        left = f", about {seconds / found.done * (found.total - found.done):.0f} s left"
    return f"{found.done} of {found.total} places ({found.done / found.total:.0%}){left}."


def painted_mask(editor: dict | None, size: tuple[int, int]) -> np.ndarray:
    """The mask (H,W) uint8, 0 = hidden, of what was painted over a picture of this size.

    Raises
    ------
    InputError
        If nothing is painted.
    """
    painted: np.ndarray | None = None
    for layer in (editor or {}).get("layers") or ():
        pixels = np.asarray(layer)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            here = pixels[..., 3] >= PAINTED
            same = painted is not None and painted.shape == here.shape
            painted = painted | here if painted is not None and same else here
    if painted is None or not painted.any():
        raise InputError("nothing is painted; paint over what shall be hidden")
    height, width = size
    rows = ((np.arange(height) + 0.5) * painted.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * painted.shape[1] / width).astype(int)
    return np.where(painted[rows][:, columns], 0, 1).astype("uint8")
