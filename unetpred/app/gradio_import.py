"""Importing Gradio so that it tells nobody of it."""

from __future__ import annotations

import os
from typing import Any

from unetpred.errors import InputError

#: What Gradio and the libraries below it read when they are imported.
_SILENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def import_gradio() -> Any:
    """Import Gradio, its statistics switched off.

    Raises
    ------
    InputError
        If it is not installed.
    """
    for name, value in _SILENT.items():
        os.environ.setdefault(name, value)
    try:
        import gradio
        import plotly  # noqa: F401  (the map is drawn with it)
    except ImportError as error:
        raise InputError(
            f"the page needs Gradio, Plotly and pyarrow ({error}): pip install 'unetpred[app]'"
        ) from None
    return gradio
