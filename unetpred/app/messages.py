"""What the page says: of pictures, scores and maps, and in one line of what went wrong."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

from unetpred.app import views
from unetpred.app.engine import Answer, Spot
from unetpred.app.gradio_import import import_gradio
from unetpred.app.mapping import Mapped
from unetpred.app.opened import Picture
from unetpred.errors import InputError, reason_of

gr = import_gradio()
logger = logging.getLogger(__name__)

SLOW = 1.0  # seconds, from which on the page tells of faster weights


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

    return each if inspect.isgeneratorfunction(handler) else call


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
