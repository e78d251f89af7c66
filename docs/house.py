"""Draw the rooms of the package and who imports whom: `python docs/house.py` writes `house.svg`.

Storeys are the layers that import-linter checks, from pyproject.toml; what is written in a room is
the first sentence of its docstring; arrows are the imports that the code has, without those that
follow from others (a room that imports another uses what is below that one, too). Needs
import-linter, which brings `grimp`. `--check` only says whether the drawing is current.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[1]
DRAWING = ROOT / "docs" / "house.svg"

WIDTH, MARGIN, GAP = 820, 90, 14  # px; arrows past a storey run in the margins
HEIGHT, SPACE = 62, 26  # of a storey, and between two
LANE = 13  # between two arrows in a margin
CHARACTER = 6.0  # px, of the small text on average


def storeys() -> list[list[str]]:
    """The layers of import-linter's contract, the topmost first."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = re.search(r"^layers = \[\n(.*?)^\]", text, re.M | re.S)
    if listed is None:
        raise SystemExit("pyproject.toml: has no layers of import-linter")
    return [re.split(r"\s*[|:]\s*", line) for line in re.findall(r'"(.+)"', listed.group(1))]


def imports(rooms: list[str]) -> set[tuple[str, str]]:
    """Which room imports which, at run time, without what follows from other imports."""
    sys.path.insert(0, str(ROOT))  # to find the package; it is read, not imported
    graph = grimp.build_graph("unetpred", exclude_type_checking_imports=True, cache_dir=None)

    def room(module: str) -> str:
        return module.split(".")[1] if "." in module else ""

    direct = {
        (room(module), room(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
        if room(module) != room(other)
    }
    below: dict[str, set[str]] = {}
    for name in reversed(rooms):  # from the ground up: all that a room uses
        nearest = {b for a, b in direct if a == name and b in rooms}
        below[name] = nearest.union(*(below.get(other, set()) for other in nearest))
    return {
        (a, b)
        for a, b in direct
        if a in rooms and b in rooms
        if not any((a, c) in direct and b in below[c] for c in rooms if c not in (a, b))
    }


def purpose(room: str) -> str:
    """The first sentence of a room's docstring."""
    package = ROOT / "unetpred"
    path = package / room / "__init__.py"
    path = path if path.exists() else package / f"{room}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    told = " Every room may use them." if room == "errors" else ""
    return docstring.split("\n")[0].replace("`", "") + told


def drawing() -> str:
    """The drawing as SVG."""
    floors = storeys()
    rooms = [room for floor in floors for room in floor]
    boxes = _boxes(floors)
    level = {room: number for number, floor in enumerate(floors) for room in floor}
    lines = [_box(room, *boxes[room]) for room in rooms]
    taken: dict[str, list[tuple[float, float]]] = {"left": [], "right": []}
    arrows = sorted(imports(rooms), key=lambda arrow: (level[arrow[1]] - level[arrow[0]], arrow))
    for a, b in arrows:
        if b == "errors":  # which every room may use
            continue
        if level[b] == level[a] + 1:
            lines.append(_arrow_down(boxes[a], boxes[b]))
        else:
            lines.append(_arrow_around(boxes[a], boxes[b], taken))
    height = len(floors) * (HEIGHT + SPACE)
    # where the margins are too narrow for all lanes, the drawing is wider
    wider = {side: max(0, GAP + LANE * len(lanes) - MARGIN) for side, lanes in taken.items()}
    left, width = -wider["left"], WIDTH + sum(wider.values())
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#56606b"/></marker>'
            "</defs>",
            f'<rect x="{left}" width="{width}" height="{height}" fill="#ffffff"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def _boxes(floors: list[list[str]]) -> dict[str, tuple[float, float, float]]:
    """Left, top and width of each room."""
    inner = WIDTH - 2 * MARGIN
    boxes = {}
    for number, floor in enumerate(floors):
        width = (inner - GAP * (len(floor) - 1)) / len(floor)
        for place, room in enumerate(floor):
            top = SPACE / 2 + number * (HEIGHT + SPACE)
            boxes[room] = MARGIN + place * (width + GAP), top, width
    return boxes


def _box(room: str, left: float, top: float, width: float) -> str:
    text = textwrap.wrap(purpose(room), int((width - 20) / CHARACTER))
    if len(text) > 2:
        text = [text[0], text[1][: int((width - 26) / CHARACTER)].rstrip(" ,.") + " …"]
    words = "".join(
        f'<text x="{left + 10:g}" y="{top + 36 + 15 * line:g}" font-size="11.5" fill="#333a42">'
        f"{escape(part)}</text>"
        for line, part in enumerate(text)
    )
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{HEIGHT}" rx="5" '
        'fill="#eef3f8" stroke="#8ba3b8"/>'
        f'<text x="{left + 10:g}" y="{top + 19:g}" font-size="14" font-weight="bold" '
        f'fill="#12395c">{room}</text>{words}'
    )


def _path(points: list[tuple[float, float]]) -> str:
    along = " L".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f'<path d="M{along}" fill="none" stroke="#56606b" stroke-width="1.3" '
        'stroke-linejoin="round" marker-end="url(#tip)"/>'
    )


def _arrow_down(a: tuple[float, float, float], b: tuple[float, float, float]) -> str:
    """From a room to one of the storey below."""
    narrow = min(a, b, key=lambda box: box[2])
    x = narrow[0] + narrow[2] / 2
    return _path([(x, a[1] + HEIGHT), (x, b[1])])


def _arrow_around(
    a: tuple[float, float, float],
    b: tuple[float, float, float],
    taken: dict[str, list[tuple[float, float]]],
) -> str:
    """From a room past other storeys, in a lane of a margin that no arrow has taken there."""
    sides = [[side for side in taken if _touches(box, side)] for box in (a, b)]
    both = [side for side in sides[0] if side in sides[1]] or sides[0]
    side, lane = min(((side, _lane(taken[side], a[1], b[1])) for side in both), key=lambda s: s[1])
    taken[side] += [(0.0, 0.0)] * (lane + 1 - len(taken[side]))
    top, bottom = taken[side][lane]
    taken[side][lane] = (a[1], b[1]) if top == bottom else (min(top, a[1]), max(bottom, b[1]))
    away = GAP + LANE * lane
    lane_x = MARGIN - away if side == "left" else WIDTH - MARGIN + away
    edges = [box[0] if side == "left" else box[0] + box[2] for box in (a, b)]
    start, end = a[1] + HEIGHT - 8 - 9 * (lane % 5), b[1] + 9 + 9 * (lane % 5)
    points = [(edges[0], start), (lane_x, start)]
    if side in sides[1]:
        return _path([*points, (lane_x, end), (edges[1], end)])
    # another room is in between: down between the two storeys
    gap, x = b[1] - 7 - 4 * (lane % 3), b[0] + b[2] / 2 + 10 * (1 + lane)
    return _path([*points, (lane_x, gap), (x, gap), (x, b[1])])


def _touches(box: tuple[float, float, float], side: str) -> bool:
    return box[0] == MARGIN if side == "left" else box[0] + box[2] > WIDTH - MARGIN - 1


def _lane(taken: list[tuple[float, float]], top: float, bottom: float) -> int:
    """The innermost lane that is free from `top` to `bottom`."""
    free = [n for n, (start, end) in enumerate(taken) if bottom < start or end < top]
    return free[0] if free else len(taken)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        current = DRAWING.is_file() and DRAWING.read_text("utf-8") == drawing()
        sys.exit(None if current else f"{DRAWING}: not current; run python docs/house.py")
    DRAWING.write_text(drawing(), "utf-8")
