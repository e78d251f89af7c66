"""Making the page, and serving it."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from unetpred.app.gradio_import import import_gradio
from unetpred.errors import InputError
from unetpred.holes.hole import check_pixels_per_degree
from unetpred.io.registry import DEFAULT, find_weights

LOOPBACK = "127.0.0.1"
PORTS = 65535


def page(
    image: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    *,
    vgg_weights: str | os.PathLike[str] | None = None,
    pixels_per_degree: float | None = None,
) -> Any:
    """Make the page: draw a hole in a picture, see what fills it and how it scores.

    Parameters
    ----------
    image : path-like, optional
        The picture that the page opens with; an example if not given.
    weights : str or path-like, optional
        Those that are chosen at first; the shipped default if not given.
    vgg_weights : str or path-like, optional
        VGG-16 for content. Without it that of the repository is taken; where there is none, the
        page has no content, as it downloads nothing.
    pixels_per_degree : float, optional
        Of visual angle, for sizes in degrees.

    Returns
    -------
    gradio.Blocks
        Its ``launch()`` serves it to this machine alone, and shows it in a notebook. Nothing that
        it shows comes from elsewhere, and nobody is told of it.

    Raises
    ------
    InputError
        If Gradio is not installed, or the picture, the weights or the number cannot be used.

    Examples
    --------
    >>> demo = unetpred.app.page("img.png", weights="lite")  # doctest: +SKIP
    >>> demo.launch()  # doctest: +SKIP
    """
    import_gradio()
    check_pixels_per_degree(pixels_per_degree)
    chosen = os.fspath(weights) if weights is not None else DEFAULT
    find_weights(chosen)
    if vgg_weights is not None:
        from unetpred.network.vgg16 import find_vgg

        find_vgg(vgg_weights)

    from unetpred.app.engine import Engine
    from unetpred.app.layout import build
    from unetpred.app.opened import open_picture
    from unetpred.images.sources import list_sources

    picture = None
    if image is not None:
        (one,) = list_sources([image])
        if one.error:  # which names the file as it was given
            raise InputError(one.error)
        picture = open_picture(image)
    engine = Engine(None if vgg_weights is None else os.fspath(vgg_weights))
    return build(engine, picture, chosen, pixels_per_degree)


def serve(made: Any, host: str = LOOPBACK, port: int = 0, browser: bool = True) -> str:
    """Serve a page until the process ends, and load its networks meanwhile.

    Parameters
    ----------
    made : gradio.Blocks
        From `page`.
    host : str
        The address to listen on. Who can reach it can use the page; 127.0.0.1 is this machine.
    port : int
        Which port; any free one for 0.
    browser : bool
        Whether to open the browser.

    Returns
    -------
    str
        The page's address; the call returns at once.

    Raises
    ------
    InputError
        If the address or the port cannot be listened on.
    """
    if not 0 <= port <= PORTS:
        raise InputError(f"`port` {port}: 0..{PORTS} is right; 0 is any free one")
    found = _free_port(host, port)
    try:
        _, address, _ = made.launch(
            server_name=host, server_port=found, inbrowser=browser, prevent_thread_lock=True
        )
    except OSError as error:
        raise InputError(f"`port` {port}: {host} cannot be listened on ({error})") from None
    threading.Thread(target=made.warm, daemon=True, name="warm").start()
    return str(address)


def _free_port(host: str, port: int) -> int:
    """The port, after a look whether it is free; any free one for 0."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
            return int(tried.getsockname()[1])
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{host}, port {port}: cannot be listened on ({reason}); give another `host` or "
            "`port`, 0 is any free port"
        ) from None
