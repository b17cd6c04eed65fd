"""File formats: from files to plain columns and back, one module a format."""

from plackett.data.formats.columns import DatasetColumns, QrelsColumns, RunColumns
from plackett.data.formats.doors import (
    read_dataset,
    read_qrels,
    read_run,
    read_texts,
    scan_texts,
    write_dataset,
    write_qrels,
    write_run,
    write_texts,
)

__all__ = [
    "DatasetColumns",
    "QrelsColumns",
    "RunColumns",
    "read_dataset",
    "read_qrels",
    "read_run",
    "read_texts",
    "scan_texts",
    "write_dataset",
    "write_qrels",
    "write_run",
    "write_texts",
]
