"""Tables of scores: one tidy row per image or site, with where they come from."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unetpred.errors import escaped
from unetpred.io.files import atomic_path, write_rows

if TYPE_CHECKING:
    import pandas

ENDINGS = (".csv", ".json", ".parquet")


def write_table(path: str | os.PathLike, rows: list[dict], origin: dict[str, str]) -> None:
    """Write one tidy row per image, and the provenance.

    Parameters
    ----------
    path : path-like
        .csv, with the provenance in lines that start with ``#``; .json, with `provenance` and
        `rows`; or .parquet, with the provenance as JSON in the schema's metadata. Floats are
        written in full; NaN is ``nan`` in csv and null in json. In all of them text is
        `unetpred.errors.escaped`.
    rows : list of dict
        All with the same keys.
    origin : dict
        Provenance.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    if Path(path).suffix.lower() == ".parquet":
        _write_parquet(path, to_frame(rows, origin))
        return
    text: Any = {"newline": "", "encoding": "utf-8"}
    with atomic_path(path) as temporary, temporary.open("w", **text) as file:
        if str(path).lower().endswith(".json"):
            clean = [{escaped(name): _clean(value) for name, value in row.items()} for row in rows]
            whole = {"provenance": {k: _clean(value) for k, value in origin.items()}, "rows": clean}
            json.dump(whole, file, indent=1, ensure_ascii=False, default=str)
            file.write("\n")
        else:
            for name, value in origin.items():
                file.write(f"# {name}: {escaped(' '.join(str(value).split()))}\n")
            write_rows(file, rows[0], ([row[name] for name in rows[0]] for row in rows))


def _clean(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return escaped(value) if isinstance(value, str) else value


def to_frame(rows: list[dict], origin: dict[str, str]) -> pandas.DataFrame:
    """The table in memory: what pandas reads of the csv, with text where the csv has text.

    Names are as they are: in files they are `unetpred.errors.escaped`.

    Parameters
    ----------
    rows, origin
        As for `write_table`.

    Returns
    -------
    pandas.DataFrame
        The provenance is in ``attrs["provenance"]``. `index` is NaN for image files; `reason` is
        empty where all is well.
    """
    import pandas

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    frame = pandas.DataFrame({name: _column(values) for name, values in columns.items()})
    frame["index"] = pandas.to_numeric(frame["index"])
    for name in frame.columns.difference(["image", "reason"]):
        if not pandas.api.types.is_numeric_dtype(frame[name]):
            frame[name] = _numbers(frame[name])
    frame.attrs["provenance"] = dict(origin)
    return frame


def _column(values: list) -> pandas.Series:
    """A column; of text as pandas' own, but for names of files that are no text."""
    import pandas

    try:
        "".join(value for value in values if isinstance(value, str)).encode()
    except UnicodeEncodeError:
        return pandas.Series(values, dtype=object)
    return pandas.Series(values)


def _numbers(column: pandas.Series) -> pandas.Series:
    """A column of text as numbers, if it is one; names such as 007 are none."""
    import pandas

    if any(re.match(r"[+-]?0\d", value) for value in column if isinstance(value, str)):
        return column
    try:
        return pandas.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _write_parquet(path: str | os.PathLike[str], frame: pandas.DataFrame) -> None:
    import pandas
    import pyarrow
    import pyarrow.parquet

    for name in frame.columns:
        if not pandas.api.types.is_numeric_dtype(frame[name]):
            values = [escaped(v) if isinstance(v, str) else v for v in frame[name]]
            if any(isinstance(v, str) for v in values):  # a column there has one type
                empty = [v is None or (isinstance(v, float) and v != v) for v in values]
                values = [v if no else str(v) for v, no in zip(values, empty, strict=True)]
            frame[name] = values
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    origin = json.dumps(frame.attrs["provenance"], ensure_ascii=False)
    more = {"provenance": origin, "PANDAS_ATTRS": json.dumps(frame.attrs)}  # which pandas reads
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **more})
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
