"""The layout of the page."""

from __future__ import annotations

from typing import Any

from unetpred.app import history
from unetpred.app.blocks import Page
from unetpred.app.engine import Engine, weights_here
from unetpred.app.gradio_import import import_gradio
from unetpred.app.handlers import Handlers
from unetpred.app.mapping import CLOSEST
from unetpred.app.messages import geometry, hint_of
from unetpred.app.opened import ENDINGS, Picture, examples, open_picture
from unetpred.app.sizes import Scale
from unetpred.app.tuning import LARGEST, SMALLEST
from unetpred.holes.contexts import DEFAULT_CONTEXT, FULL
from unetpred.holes.masks import DEFAULT_HOLE
from unetpred.segmentation.weights import known_segmenters

gr = import_gradio()

INTRODUCTION = """\
# How predictable is it?
Hide a part of a picture: a network fills it in from what surrounds it. The better the filling
agrees with what was there, the more predictable that part was.
"""
ABOUT_WEIGHTS = (
    "full, the default everywhere, takes a second or more for a click and minutes for a map; lite "
    "answers at once and fills in a little less well. Compare only scores of the same weights."
)
ABOUT_CONTEXT = "what the network sees; maps and receptive fields have 224 px"
ABOUT_SEGMENTATION = """\
A network of the same kind gives every pixel of the picture above a class. `membranes` knows
electron micrographs of brain tissue, with dark membranes; `camvid` knows streets, seen from a car.
Of other pictures their masks mean nothing.
"""


class Widgets:
    """What is in the page, by name.

    Parameters
    ----------
    picture : Picture or None
        What it opens with.
    samples : list of str
        Files of the examples.
    weights : str
        Those that are chosen.
    pixels_per_degree : float or None
        What stands in its field.
    """

    def __init__(
        self,
        picture: Picture | None,
        samples: list[str],
        weights: str,
        pixels_per_degree: float | None,
    ) -> None:
        gr.Markdown(INTRODUCTION)
        # what belongs to one tab of a browser
        self.picture, self.spot, self.rows = gr.State(picture), gr.State(None), gr.State([])
        self.found_map, self.found_mask = gr.State(None), gr.State(None)
        self.scale = gr.State(Scale())
        self.geometry = gr.HTML(geometry(picture), padding=False, elem_id="frame")
        with gr.Row():
            with gr.Column(scale=1, min_width=180):
                self.upload = gr.UploadButton(
                    "Upload a picture",
                    file_types=list(ENDINGS),
                    variant="primary",
                    elem_id="upload",
                )
            with gr.Column(scale=5, min_width=300):
                self.examples = gr.Dataset(
                    components=[gr.Image(visible=False)],
                    samples=[[sample] for sample in samples],
                    label="or take an example",
                    type="index",
                    samples_per_page=12,
                    elem_id="examples",
                )
        with gr.Tab("Predictability"):
            self._predictability(picture, weights, pixels_per_degree)
        with gr.Tab("Map") as self.map_tab:
            self._map()
        with gr.Tab("Segmentation"):
            self._segmentation()

    @property
    def settings(self) -> list[Any]:
        """What a hole is made of, in the order of `Handlers`."""
        return [
            self.size,
            self.units,
            self.shape,
            self.per_degree,
            self.context,
            self.weights,
        ]

    def _predictability(
        self, picture: Picture | None, weights: str, pixels_per_degree: float | None
    ) -> None:
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self.note = gr.Markdown(hint_of(picture), elem_id="note")
                with gr.Tab("Place a hole"):
                    self.view = gr.Image(
                        picture.shown() if picture else None,
                        format="jpeg",
                        show_label=False,
                        interactive=False,
                        buttons=[],
                        elem_id="picture",
                        alt_text="the picture; click where the hole shall be",
                    )
                with gr.Tab("Paint a hole") as self.paint_tab:
                    self.editor = gr.ImageEditor(
                        show_label=False,
                        sources=(),
                        transforms=(),
                        layers=False,
                        buttons=[],
                        brush=gr.Brush(default_size=24, colors=["#d55e00"], color_mode="fixed"),
                        format="png",
                        interactive=True,
                        elem_id="editor",
                    )
                    self.paint = gr.Button(
                        "Score what is painted", variant="primary", elem_id="paint"
                    )
                self.panels = gr.Gallery(
                    label="Around the hole",
                    format="png",
                    columns=3,
                    height="auto",
                    object_fit="contain",
                    visible=False,
                    buttons=["download", "fullscreen"],
                    elem_id="panels",
                )
            with gr.Column(scale=4, min_width=320):
                self.scores = gr.Markdown(elem_id="scores")
                self.size = gr.Slider(
                    SMALLEST,
                    LARGEST,
                    DEFAULT_HOLE,
                    step=1,
                    label="size (px)",
                    buttons=[],  # "reset" would give as many degrees as px
                    elem_id="size",
                )
                with gr.Row():
                    self.shape = gr.Radio(
                        ["square", "disc"],
                        value="square",
                        label="shape",
                        elem_id="shape",
                        min_width=140,
                    )
                    self.context = gr.Radio(
                        [
                            (f"{DEFAULT_CONTEXT} px around the hole", str(DEFAULT_CONTEXT)),
                            ("the whole picture", FULL),
                        ],
                        value=str(DEFAULT_CONTEXT),
                        label="surroundings",
                        info=ABOUT_CONTEXT,
                        elem_id="context",
                        min_width=200,
                    )
                names = weights_here()
                self.weights = gr.Radio(
                    names if weights in names else [weights, *names],
                    value=weights,
                    label="weights",
                    info=ABOUT_WEIGHTS,
                    elem_id="weights",
                )
                degrees = gr.Accordion("Degrees of visual angle", open=bool(pixels_per_degree))
                with degrees, gr.Row():
                    self.per_degree = gr.Number(
                        pixels_per_degree,
                        label="pixels per degree",
                        minimum=0,
                        elem_id="ppd",
                        min_width=120,
                    )
                    self.units = gr.Radio(
                        ["px", "deg"],
                        value="px",
                        label="unit of the size",
                        elem_id="units",
                        min_width=120,
                    )
        self.call = gr.Code(
            language="python",
            label="The same in Python",
            interactive=False,
            wrap_lines=True,
            lines=1,
            max_lines=6,
            visible=False,
            elem_id="call",
        )
        with gr.Accordion("Size tuning", open=True):
            self.tune = gr.Button("Draw the size tuning of this place", elem_id="tune", size="md")
            self.curve = gr.Plot(show_label=False, visible=False, elem_id="curve")
        with gr.Accordion("What was scored", open=True):
            self.table = gr.Dataframe(
                headers=list(history.COLUMNS.values()),
                interactive=False,
                max_height=300,
                show_label=False,
                elem_id="history",
            )
            with gr.Row():
                self.to_table = gr.Button("Table as csv and Parquet", elem_id="to_table")
                self.to_figure = gr.Button("Figure as PNG and PDF", elem_id="to_figure")
            self.files = gr.Files(label="Files", interactive=False, visible=False, elem_id="files")

    def _map(self) -> None:
        gr.Markdown(
            "A hole at every place of a grid, each filled in on its own. Size, shape, surroundings "
            "and weights are those of the first tab."
        )
        with gr.Row():
            self.stride = gr.Slider(
                CLOSEST,
                64,
                16,
                step=1,
                label="px between two places",
                elem_id="stride",
                min_width=200,
            )
            self.map = gr.Button("Map this picture", variant="primary", elem_id="map")
            self.cancel = gr.Button("Cancel", variant="stop", elem_id="cancel")
        self.map_note = gr.Markdown(elem_id="map_note")
        self.map_plot = gr.Plot(show_label=False, visible=False, elem_id="map_plot")
        self.to_map = gr.Button("Map as csv, PNG and PDF", elem_id="to_map")
        self.map_files = gr.Files(
            label="Files", interactive=False, visible=False, elem_id="map_files"
        )

    def _segmentation(self) -> None:
        gr.Markdown(ABOUT_SEGMENTATION)
        names = [one.name for one in known_segmenters() if one.here]
        with gr.Row():
            self.segmenter = gr.Radio(
                names, value=names[0] if names else None, label="weights", elem_id="segmenter"
            )
            self.segment = gr.Button("Segment this picture", variant="primary", elem_id="segment")
            self.cancel_mask = gr.Button("Cancel", variant="stop", elem_id="cancel_mask")
        self.mask_note = gr.Markdown(elem_id="mask_note")
        self.legend = gr.HTML(padding=False, elem_id="legend")
        with gr.Row():
            self.mask = gr.Image(
                label="mask",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="mask",
                min_width=280,
            )
            self.overlay = gr.Image(
                label="over the picture",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="overlay",
                min_width=280,
            )
        self.to_mask = gr.Button("Mask and overlay as PNG", elem_id="to_mask")
        self.mask_files = gr.Files(
            label="Files", interactive=False, visible=False, elem_id="mask_files"
        )


def build(
    engine: Engine, picture: Picture | None, weights: str, pixels_per_degree: float | None
) -> Page:
    """Make the page.

    Parameters
    ----------
    engine : Engine
    picture : Picture, optional
        What it opens with; the first example if not given.
    weights : str
        Those that are chosen.
    pixels_per_degree : float, optional
        What stands in its field.
    """
    from unetpred.app.wiring import wire

    samples = examples()
    if picture is None and samples:
        picture = open_picture(samples[0])
    page = Page(engine, weights)
    with page:
        widgets = Widgets(picture, samples, weights, pixels_per_degree)
        wire(widgets, Handlers(engine, samples, page.GRADIO_CACHE))
    page.queue(max_size=16, default_concurrency_limit=1, api_open=False)
    return page
