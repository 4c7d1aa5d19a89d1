"""Tables: the runs of a Results as rows of dicts, frames and files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from metalab.results.columns import MOMENTS, Columns, fingerprints
from metalab.results.curves import curves
from metalab.results.decoding import FullRow
from metalab.results.export import TableOptions, columns_of, write_csv
from metalab.results.frames import frame_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from metalab.results.derived import DerivedMetrics
    from metalab.results.reader import Reader
    from metalab.results.reducers import Reducers
    from metalab.results.rows import Rows

__all__ = ["Tables"]


class Tables:
    """What a Results can be turned into; it holds ``_rows`` that ``_reader`` reads."""

    _reader: Reader
    _rows: Rows

    def table(
        self, as_dataframe: bool = False, *, columns: str | Iterable[str] | None = None
    ) -> Any:
        """Return a dict for each run, or the frame of ``to_dataframe``.

        The keys are the columns of the frame, and the fingerprints of what the run was
        given; what a run lacks is None. Moments are datetimes. With ``columns`` only these
        are read, as in ``to_dataframe``.
        """
        if as_dataframe:
            return self.to_dataframe(columns=columns)
        if columns is None:
            made = self._rows.columns(Columns()) | fingerprints(self._rows.chunks(FullRow))
        else:
            made = self._rows.picked(columns)
        for name in made.keys() & set(MOMENTS):
            made[name] = [text and datetime.fromisoformat(text) for text in made[name]]
        if "tags" in made:
            made["tags"] = list(map(list, made["tags"]))
        return [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]

    def to_dataframe(
        self,
        *,
        columns: str | Iterable[str] | None = None,
        include_params: bool = True,
        include_metrics: bool = True,
        include_record: bool = True,
        include_derived: bool = False,
        derived_metrics: DerivedMetrics | None = None,
        artifact_reducers: Reducers | None = None,
        progress: bool = False,
    ) -> pd.DataFrame:
        """Make a pandas DataFrame with a row for each run.

        Columns: those of the record, ``param_<name>``, metrics under their own names, and
        ``derived_<name>``. ``columns`` names those of the record, params and metrics that
        are wanted, in place of the three ``include_`` options: nothing else is decoded.
        KeyError lists what there is if no run has one. ``derived_metrics`` are computed
        where they are not kept (and not kept then; ``compute_derived`` does).
        ``artifact_reducers`` maps an artifact's name to a function of the object, or of the
        object and the run, that returns a dict of columns. Raises MissingExtraError without
        pandas; the other tables work without.
        """
        options: TableOptions = {
            "columns": columns,
            "include_params": include_params,
            "include_metrics": include_metrics,
            "include_record": include_record,
            "include_derived": include_derived,
            "derived_metrics": derived_metrics,
            "artifact_reducers": artifact_reducers,
            "progress": progress,
        }
        return frame_of(columns_of(self._reader, self._rows, options), len(self._rows))

    def series(self, name: str) -> pd.DataFrame:
        """Make a pandas DataFrame of a metric captured with steps, a row for each step.

        Columns: run_id, status, replicate, ``param_<name>``, ``step`` and ``value``; what to
        draw curves and their bands from. Runs without the series have no rows. Raises
        KeyError, listing the series there are, if none has it; MissingExtraError without
        pandas (``run.series(name)`` works without).
        """
        made = curves(self._reader, self._rows, name)
        return frame_of(made, len(made["step"]))

    def to_dict(self, **options: Unpack[TableOptions]) -> dict[str, Sequence[Any]]:
        """Return the columns of ``to_dataframe`` by their names, with a value for each run.

        Takes the options of ``to_dataframe``. Moments are ISO 8601 in UTC, tags are tuples, what
        is missing is None. pandas is not needed.
        """
        return columns_of(self._reader, self._rows, options)

    def to_csv(self, path: str | os.PathLike[str], **options: Unpack[TableOptions]) -> Path:
        """Write a CSV file with the columns of ``to_dataframe`` and return its path.

        Takes the options of ``to_dataframe``. Floats are written so that they read back
        exactly, what is missing stays empty, structures are JSON. pandas is not needed.
        """
        return write_csv(self.to_dict(**options), Path(path).expanduser())

    def to_arrow(self, **options: Unpack[TableOptions]) -> pa.Table:
        """Make an Arrow table with the columns and options of ``to_dataframe``.

        Integers are int64, or uint64 or decimals where they are larger; moments are timestamps
        in UTC; tags lists of texts; what is missing is null and NaN is NaN. A column whose
        values no one type holds is JSON text, with ``{b"metalab": b"json"}`` as its field's
        metadata. Raises MissingExtraError without pyarrow; pandas is not needed.
        """
        from metalab.results.arrow import arrow_of  # noqa: PLC0415  read by few, and not by launches

        return arrow_of(columns_of(self._reader, self._rows, options))

    def to_polars(self, **options: Unpack[TableOptions]) -> pl.DataFrame:
        """Make a polars DataFrame of the table that ``to_arrow`` makes.

        Raises MissingExtraError without polars or pyarrow; pandas is not needed.
        """
        from metalab.results.arrow import polars_of  # noqa: PLC0415  read by few, and not by launches

        return polars_of(columns_of(self._reader, self._rows, options))

    def to_parquet(self, path: str | os.PathLike[str], **options: Unpack[TableOptions]) -> Path:
        """Write the table that ``to_arrow`` makes as a Parquet file and return its path.

        The file appears when it is complete; one of that name is replaced. Raises
        MissingExtraError without pyarrow; pandas is not needed.
        """
        from metalab.results.arrow import write_parquet  # noqa: PLC0415  read by few, and not by launches

        columns = columns_of(self._reader, self._rows, options)
        return write_parquet(columns, Path(path).expanduser())
