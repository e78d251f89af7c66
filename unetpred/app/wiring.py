"""Which event of the page calls what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unetpred.app.gradio_import import import_gradio
from unetpred.app.handlers import Handlers
from unetpred.app.messages import told

if TYPE_CHECKING:
    from unetpred.app.layout import Widgets

gr = import_gradio()

#: No event is an interface for programs: they have Python's.
HIDDEN: dict[str, Any] = {"api_visibility": "private"}


def wire(page: Widgets, handlers: Handlers) -> None:
    """Connect the widgets of a page with what they do."""
    _pictures(page, handlers)
    _scores(page, handlers)
    _map(page, handlers)
    _segmentation(page, handlers)


def _pictures(page: Widgets, handlers: Handlers) -> None:
    shown = [
        page.picture,
        page.spot,
        page.view,
        page.geometry,
        page.note,
        page.panels,
        page.scores,
        page.call,
        page.found_map,
        page.found_mask,
        page.map_plot,
        page.map_note,
    ]
    editor = {"fn": told(handlers.edited), "inputs": page.picture, "outputs": page.editor}
    # on all that changes it would cover the picture
    busy: dict[str, Any] = {"show_progress": "minimal", "show_progress_on": page.note, **HIDDEN}
    opened = [
        page.upload.upload(told(handlers.uploaded), page.upload, shown, **busy),
        page.examples.click(told(handlers.chosen), page.examples, shown, **busy),
    ]
    cleared = [page.curve, page.mask, page.overlay, page.mask_note, page.legend]
    for event in opened:
        event.success(told(handlers.cleared), None, cleared, **HIDDEN)
        event.success(**editor, **HIDDEN)
    page.paint_tab.select(**editor, **HIDDEN)


def _scores(page: Widgets, handlers: Handlers) -> None:
    scored = [
        page.spot,
        page.view,
        page.note,
        page.panels,
        page.scores,
        page.call,
        page.rows,
        page.table,
        page.curve,
    ]
    group: dict[str, Any] = {
        "concurrency_id": "score",
        "concurrency_limit": 1,  # or two clicks would each add to the same history
        "show_progress": "minimal",
        **HIDDEN,
    }
    latest = {"trigger_mode": "always_last", "show_progress_on": page.note, **group}
    here = [page.picture, page.rows, *page.settings]
    # every click counts, also one before the last is answered, which "always_last" would lose
    each = {**latest, "trigger_mode": "multiple"}
    page.view.select(told(handlers.clicked), here, scored, **each)
    painted = [page.editor, *here]
    page.paint.click(told(handlers.painted), painted, scored, show_progress_on=page.note, **group)

    place = [page.picture, page.spot, page.rows, *page.settings]
    for widget in (page.shape, page.context, page.weights):
        widget.input(told(handlers.changed), place, scored, **latest)
    sized = page.size.release(told(handlers.changed), place, scored, **latest)
    curve = {"inputs": [page.picture, page.spot], "outputs": page.curve}
    sized.success(told(handlers.retuned), **curve, **group)
    page.tune.click(told(handlers.tuned), **curve, **group)

    given, scaled = [page.units, page.per_degree, page.size], [page.units, page.size, page.scale]
    page.units.input(told(handlers.rescaled), [*given, page.scale], scaled, **HIDDEN)
    for event in (page.per_degree.submit, page.per_degree.blur):
        event(told(handlers.degree_changed), [*given, page.scale], scaled[1:], **HIDDEN).success(
            told(handlers.changed), place, scored, **latest
        )
    page.to_table.click(told(handlers.save_table), page.rows, page.files, **HIDDEN)
    figure = [page.picture, page.spot]
    page.to_figure.click(told(handlers.save_figure), figure, page.files, **HIDDEN)


def _map(page: Widgets, handlers: Handlers) -> None:
    given = [page.picture, page.stride, *page.settings]
    drawn = [page.map_plot, page.map_note, page.found_map]
    run = page.map.click(
        told(handlers.mapped), given, drawn, show_progress="minimal", concurrency_id="map", **HIDDEN
    )
    page.cancel.click(None, cancels=[run], **HIDDEN).then(
        told(handlers.stopped), page.found_map, drawn[:2], queue=False, **HIDDEN
    )
    for event in (page.map_tab.select, page.stride.release):
        event(told(handlers.estimated), given, page.map_note, show_progress="hidden", **HIDDEN)
    page.to_map.click(told(handlers.save_map), page.found_map, page.map_files, **HIDDEN)


def _segmentation(page: Widgets, handlers: Handlers) -> None:
    drawn = [page.mask, page.overlay, page.mask_note, page.legend, page.found_mask]
    run = page.segment.click(
        told(handlers.segmented),
        [page.picture, page.segmenter],
        drawn,
        show_progress="minimal",
        concurrency_id="map",
        **HIDDEN,
    )
    page.cancel_mask.click(None, cancels=[run], **HIDDEN).then(
        lambda: "Cancelled.", None, page.mask_note, queue=False, **HIDDEN
    )
    page.to_mask.click(told(handlers.save_mask), page.found_mask, page.mask_files, **HIDDEN)
