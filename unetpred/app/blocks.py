"""The page as Gradio's blocks: how it is served, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unetpred.app import history
from unetpred.app.engine import Engine, weights_here
from unetpred.app.gradio_import import import_gradio
from unetpred.app.page import LOOPBACK

gr = import_gradio()

TABS = 64  # of browsers, whose pictures and tables are kept
UPLOAD = "200mb"
KEEP = 6 * 3600  # seconds, for which files of pictures and downloads are kept
HERE = Path(__file__).parent


class Page(gr.Blocks):  # type: ignore[misc, name-defined]
    """The page; `launch` serves it to this machine alone, unless told otherwise."""

    def __init__(self, engine: Engine, weights: str) -> None:
        super().__init__(analytics_enabled=False, title="unetpred", delete_cache=(KEEP // 6, KEEP))
        self.engine, self.weights = engine, weights

    def launch(self, *given: Any, **options: Any) -> Any:
        """As `gradio.Blocks.launch`, with the page's own look, and careful defaults."""
        theme = gr.themes.Default(
            primary_hue="blue",
            neutral_hue="slate",
            font=("system-ui", "sans-serif"),
            font_mono=("ui-monospace", "monospace"),
        )
        script = (HERE / "pointer.js").read_text("utf-8")
        careful = {
            "server_name": LOOPBACK,
            "share": False,
            "quiet": True,
            "show_error": False,
            "theme": theme,
            "css_paths": str(HERE / "page.css"),
            "head": f"<script>{script}</script>",
            "footer_links": [],
            "run_history": False,
            "enable_monitoring": False,
            "ssr_mode": False,
            "mcp_server": False,
            "pwa": False,
            "max_file_size": UPLOAD,
            "state_session_capacity": TABS,
        }
        return super().launch(*given, **{**careful, **options})

    def close(self, *given: Any, **named: Any) -> None:
        """As of Gradio, which removes its files; those for downloads go too."""
        super().close(*given, **named)
        history.remove_folders()

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], *given: Any, **named: Any
    ) -> Any:
        """As of Gradio, which would fetch a file that somebody gives an internet address of."""
        if _names_address(inputs):
            raise gr.Error("files are uploaded, not fetched", title="", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *given, **named)

    def warm(self) -> None:
        """Load the networks, so that the first click need not wait for them."""
        self.engine.warm(self.weights)
        if self.weights != "lite" and "lite" in weights_here():
            self.engine.warm("lite")


def _names_address(given: Any) -> bool:
    """Whether a file is said to lie on another machine."""
    if isinstance(given, dict):
        path = given.get("path")
        return (isinstance(path, str) and "://" in path) or any(map(_names_address, given.values()))
    return isinstance(given, list | tuple) and any(map(_names_address, given))
