"""Sites as jobs: a hole at every place and of every size that a table has."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unetpred.errors import InputError
from unetpred.holes.hole import LARGEST, pixels, whole_pixel
from unetpred.holes.masks import DEFAULT_HOLE
from unetpred.holes.scenes import Place, Scenes
from unetpred.holes.sites import Site
from unetpred.images.sources import Source
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.runs.scoring.jobs import Failures, Job
from unetpred.scoring.covariates import CONTENT_COVARIATES, COVARIATES
from unetpred.scoring.luminance import LUMINANCE_COVARIATES
from unetpred.scoring.scores import OUTPUTS

logger = logging.getLogger(__name__)

#: What the columns of results are called.
OURS = {"size_deg", "reason", *OUTPUTS, *COVARIATES, *LUMINANCE_COVARIATES, *CONTENT_COVARIATES}
OURS |= {f"content_{layer}" for layer in CONTENT_LAYERS}


def site_jobs(scenes: Scenes, sources: list[Source], fail: Failures) -> list[Job]:
    """Make a job of every site at every size, in the order of the table.

    Parameters
    ----------
    scenes : Scenes
        With sites.
    sources : list of Source
        The pictures that the sites lie in.
    fail : Failures
        What is told about sites whose numbers are wrong.

    Returns
    -------
    list of Job
        Their places are whole pixels, by `unetpred.holes.hole.whole_pixel`. A site whose numbers
        are not known is done already, with the reason.

    Raises
    ------
    InputError
        One line that names the site, if its picture cannot be told.
    """
    table, per_degree = scenes.sites, scenes.pixels_per_degree
    assert table is not None
    sites = table.read(OURS)
    sized = sites[0].size is not None
    if sized and scenes.sizes != (DEFAULT_HOLE,):
        raise InputError(f"{table.name}: has a column size; leave `size` away, or the column")
    if sites[0].in_degrees and per_degree is None:
        raise InputError(f"{table.name}: columns x_deg and y_deg need `pixels_per_degree`")
    find = _finder(sources)
    jobs: list[Job] = []
    for site in sites:
        source = find(site)
        names = ("x_deg", "y_deg") if site.in_degrees else ("x", "y")
        numbers = zip((*names, "size"), (site.x, site.y, site.size), strict=True)
        unknown = [name for name, number in numbers if not math.isfinite(number or 0)]
        own: Sequence[Any] = [site.size] if sized else scenes.sizes
        for given in own:
            size, error = given, site.error
            if sized and "size" not in unknown:
                try:
                    size = pixels(given, table.units, per_degree, f"{site.where}: size")
                except InputError as wrong:
                    size, error = math.nan, error or str(wrong)
            # as the table has it, so that results can be joined to what it was made from
            written = site.image or source.path
            job = Job(source, len(jobs), {"image": written, "index": source.index})
            x, y = (math.nan, math.nan) if site.in_degrees else (site.x, site.y)
            job.columns |= {"x": x, "y": y, "size": size}
            if error:
                fail(job, error)
            elif unknown:
                job.scores = {"reason": f"{' and '.join(unknown)} not known"}
            else:
                _place(job, site, size, per_degree, fail)
            if per_degree:
                job.columns["size_deg"] = size / per_degree
            job.columns |= site.others
            jobs.append(job)
    if not sized and scenes.hole is None and any(job.place for job in jobs):
        logger.info("%s: no column size: %d px", table.name, DEFAULT_HOLE)
    return jobs


def _place(job: Job, site: Site, size: int, per_degree: float | None, fail: Failures) -> None:
    """Put the hole of a job where its site is."""
    x, y = site.x, site.y
    if site.in_degrees:
        try:
            height, width = job.source.size
        except InputError as error:
            fail(job, str(error))
            return
        assert per_degree is not None
        x, y = width // 2 + x * per_degree, height // 2 - y * per_degree
    if max(abs(x), abs(y)) > LARGEST:
        job.scores = {"reason": "lies farther out than any image reaches"}
        return
    job.place = Place(whole_pixel(x), whole_pixel(y), size)
    job.columns |= vars(job.place)


def _finder(sources: list[Source]) -> Callable[[Site], Source]:
    """A function that tells which picture a site lies in."""
    keys = (lambda p: p, os.path.abspath, lambda p: Path(p).name, lambda p: Path(p).stem)
    by_key: list[dict[str, list[Source]]] = [{} for _ in keys]
    for source in sources:
        for key, found in zip(keys, by_key, strict=True):
            found.setdefault(key(source.path), []).append(source)

    by_index: dict[int, dict[int, list[Source]]] = {}

    def at(found: list[Source], index: int) -> list[Source]:
        if id(found) not in by_index:  # looking through all for every site would take hours
            known = by_index.setdefault(id(found), {})
            for source in found:
                known.setdefault(source.index or 0, []).append(source)
        return by_index[id(found)].get(index, [])

    def find(site: Site) -> Source:
        found = sources
        if site.image is not None:
            names = (site.image, os.path.abspath(site.image), site.image, site.image)
            pairs = zip(names, by_key, strict=True)
            found = next((known[name] for name, known in pairs if name in known), [])
            if not found:
                raise InputError(
                    f"{site.where}: image {site.image!r} is none of the inputs; their path, name, "
                    "or name without its ending is right"
                )
        if site.index is not None:
            among, found = found, at(found, site.index)
            if not found:
                last = max(source.index or 0 for source in among)
                raise InputError(
                    f"{site.where}: there is no image of index {site.index}; 0 to {last} are there"
                )
        if len(found) > 1:
            paths = sorted({source.path for source in found})
            need = (
                f"{paths[0]} has {len(found)} images; a column index says which"
                if len(paths) == 1
                else f"it could lie in {paths[0]} or {paths[1]}; the path in a column image says"
                " which"
            )
            raise InputError(f"{site.where}: {need}")
        return found[0]

    return find
