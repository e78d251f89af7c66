"""A served page, spoken to as a browser speaks to it, or as somebody who means no good."""

from __future__ import annotations

import json
import os
import uuid


class Site:
    """A page that is served, seen from one tab of a browser.

    Parameters
    ----------
    page : gradio.Blocks
    """

    def __init__(self, page):
        import httpx

        self.page = page
        self.address = page.local_url.rstrip("/")
        self.session = uuid.uuid4().hex
        self.http = httpx.Client(base_url=self.address, timeout=120)

    def tab(self) -> Site:
        """The same page in another tab."""
        return Site(self.page)

    def number(self, name: str) -> int:
        """The number of the first event that calls a handler of this name."""
        return next(i for i, fn in self.page.fns.items() if fn.name == name)

    def call(self, name: str, *data, event=None) -> dict:
        """Let an event happen and give the message that ends it; states are None in `data`."""
        body = {
            "data": list(data),
            "fn_index": self.number(name),
            "session_hash": self.session,
            "event_data": event,
        }
        joined = self.http.post("/gradio_api/queue/join", json=body)
        if joined.status_code != 200:
            return {"success": False, "output": {"error": joined.text}, "status": joined}
        where = f"/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", where) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line[5:])
                    if message["msg"] in ("process_completed", "unexpected_error"):
                        return message
        raise AssertionError("the page said nothing")

    def upload(self, path) -> dict:
        """Upload a file; what an event is given of it."""
        with open(path, "rb") as file:
            sent = self.http.post("/gradio_api/upload", files={"files": file})
        (there,) = sent.json()
        return {
            "path": there,
            "orig_name": os.path.basename(path),
            "meta": {"_type": "gradio.FileData"},
        }

    def open(self, path) -> dict:
        """Upload a picture, and open it."""
        return self.call("uploaded", self.upload(path))

    def settings(self, weights=None, size=40, shape="square", context="224") -> list:
        """What the widgets say, in their order."""
        return [size, "px", shape, None, context, weights or self.page.weights]

    def click(self, x: int, y: int, **settings) -> dict:
        """Click on a pixel of what is shown."""
        event = {"index": [x, y], "value": None}
        return self.call("clicked", None, None, *self.settings(**settings), event=event)
