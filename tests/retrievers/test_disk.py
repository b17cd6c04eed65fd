"""What is said of a disk that is full, and what is passed on."""

import errno
from pathlib import Path

import pytest

from plackett.retrievers.disk import full_disk_told


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (OSError(errno.EFBIG, "File too large"), errno.EFBIG),
        (OSError("1024 requested and 17 written"), errno.ENOSPC),
    ],
)
def test_a_full_disk_is_told_with_its_folder(error: OSError, number: int) -> None:
    no_room = pytest.raises(OSError, match="no room for the index; free some")
    with no_room as told, full_disk_told(Path("some/index")):
        raise error
    assert (told.value.errno, told.value.filename) == (number, "some/index")
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), OSError("x"), ValueError("y")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as told, full_disk_told(Path("index")):
        raise error
    assert told.value is error
