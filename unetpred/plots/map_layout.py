"""Where the parts of a figure of a photograph and its map are."""

from __future__ import annotations

from typing import NamedTuple

from unetpred.plots.style import PAGE_HEIGHT

SIDE_BY_SIDE = 120  # mm, in which two pictures have room beside each other

# The figure's parts, mm.
EDGE = 1.5  # around everything
TITLE = 5.0  # above a picture
BETWEEN = 3.0  # two pictures
BAR = 3.0  # thick, of colours
TO_BAR = 2.0  # from the map
HALF = 3.0  # of a number, which stands out at the ends of a lying bar
NUMBERS = 17.0  # what the numbers and label beside an upright bar need
BELOW = 11.0  # the same below a lying one
LABEL = 38.0  # how long a label is
LINE = 3.8  # of the caption


class Part(NamedTuple):
    """A place in a figure, mm from its top left."""

    left: float
    top: float
    width: float
    height: float


class Plan(NamedTuple):
    """Where the parts of a figure are, and how high it is, mm."""

    pictures: tuple[Part, Part]
    bar: Part
    upright: bool
    height: float

    def box(self, part: Part, width: float) -> tuple[float, float, float, float]:
        """A part as matplotlib places it: left, bottom, width, height, in parts of the figure."""
        bottom = self.height - part.top - part.height
        return (
            part.left / width,
            bottom / self.height,
            part.width / width,
            part.height / self.height,
        )


def plan_figure(ratio: float, width: float, bar: bool, lines: int) -> Plan:
    """Lay out two pictures of one shape (height / width = `ratio`), and a bar along the map.

    The bar is as long as the map on its side: upright, or, where the map is too low for the bar's
    label, lying below it.
    """
    plans = []
    for below in (False, True) if width < SIDE_BY_SIDE else (False,):
        upright = _plan(ratio, width, bar, lines, below, upright=True)
        lying = _plan(ratio, width, bar, lines, below, upright=False)
        fits = not bar or upright.bar.height >= LABEL
        plans.append(upright if fits else lying)
    labelled = [plan for plan in plans if max(plan.bar.width, plan.bar.height) >= LABEL]
    return max(labelled or plans, key=lambda plan: plan.pictures[0].width)


def _plan(ratio: float, width: float, bar: bool, lines: int, below: bool, upright: bool) -> Plan:
    edge = EDGE if upright or not bar else HALF
    beside = TO_BAR + BAR + NUMBERS if bar and upright else 0.0
    under = TO_BAR + BAR + BELOW if bar and not upright else 0.0
    across, down = (1, 2) if below else (2, 1)
    wide = (width - 2 * edge - beside - (across - 1) * BETWEEN) / across
    text = 2 * EDGE + LINE * lines
    high = (PAGE_HEIGHT - text - under - down * TITLE - (down - 1) * BETWEEN) / down
    wide = min(wide, high / ratio)
    high = wide * ratio
    first = Part(edge, EDGE + TITLE, wide, high)
    if below:
        second = first._replace(top=first.top + high + BETWEEN + TITLE)
    else:
        second = first._replace(left=first.left + wide + BETWEEN)
    place = Part(second.left + wide + TO_BAR, second.top, BAR, high)
    if not upright:
        place = Part(second.left, second.top + high + TO_BAR, wide, BAR)
    total = second.top + high + under + EDGE + LINE * lines
    return Plan((first, second), place, upright, total)
