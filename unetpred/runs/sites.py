"""Sites as jobs: a hole at every place and of every size that a table has."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

from unetpred.errors import InputError
from unetpred.holes.scenes import Holes, Place, whole_pixel
from unetpred.holes.sites import Site, read_sites
from unetpred.images.sources import Source
from unetpred.network.vgg16 import CONTENT_LAYERS
from unetpred.runs.jobs import Failures, Job
from unetpred.scoring.covariates import CONTENT_COVARIATES, COVARIATES

#: What the columns of results are called.
OURS = {"size_deg", "structure", "content", "reason", *COVARIATES, *CONTENT_COVARIATES}
OURS |= {f"content_{layer}" for layer in CONTENT_LAYERS}


def site_jobs(
    args: argparse.Namespace, holes: Holes, sources: list[Source], fail: Failures
) -> list[Job]:
    """Make a job of every site at every size, in the order of the table.

    Parameters
    ----------
    args : argparse.Namespace
        Of `unetpred predict`.
    holes : Holes
        Of the same arguments.
    sources : list of Source
        The pictures that the sites lie in.
    fail : Failures
        What is told about sites whose numbers are wrong.

    Returns
    -------
    list of Job
        Their places are whole pixels, by `unetpred.holes.scenes.whole_pixel`. A site whose numbers
        are not known is done already, with the reason.

    Raises
    ------
    InputError
        One line that names the site, if its picture cannot be told.
    """
    sites = read_sites(args.sites, OURS)
    if sites[0].size is not None and args.mask_size:
        raise InputError(
            f"--sites {args.sites}: has a column size; leave --mask_size away, or the column"
        )
    find = _finder(sources)
    jobs = []
    for site in sites:
        source = find(site)
        own = None if site.size is None else [site.size]
        unknown = [n for n in ("x", "y", "size") if not math.isfinite(getattr(site, n) or 0)]
        for given in own or holes.sizes:
            size, error = given, site.error
            if own and "size" not in unknown:
                try:
                    size = holes.pixels(given, f"{site.where}: size")
                except InputError as wrong:
                    size, error = math.nan, error or str(wrong)
            job = Job(source, len(jobs), {"image": source.path, "index": source.index})
            job.columns |= {"x": site.x, "y": site.y, "size": size}
            if error:
                fail(job, error)
            elif unknown:
                job.scores = {"reason": f"{' and '.join(unknown)} not known"}
            else:
                job.place = Place(whole_pixel(site.x), whole_pixel(site.y), size)
                job.columns |= vars(job.place)
            if args.pixels_per_degree:
                job.columns["size_deg"] = size / args.pixels_per_degree
            job.columns |= site.others
            jobs.append(job)
    return jobs


def _finder(sources: list[Source]) -> Callable[[Site], Source]:
    """A function that tells which picture a site lies in."""
    keys = (lambda p: p, os.path.abspath, lambda p: Path(p).name, lambda p: Path(p).stem)
    by_key: list[dict[str, list[Source]]] = [{} for _ in keys]
    for source in sources:
        for key, found in zip(keys, by_key, strict=True):
            found.setdefault(key(source.path), []).append(source)

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
            found = [source for source in found if (source.index or 0) == site.index]
            if not found:
                raise InputError(f"{site.where}: there is no image of index {site.index}")
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
