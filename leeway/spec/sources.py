"""Where the rows of a use case come from, and how they are cut into batches.

Belongs here: one model for each kind of source. Does not belong here: reading one
(`resources.sources`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from leeway.identifiers import BATCH_PATTERN
from leeway.spec.base import Identifier, Strict, Variable
from leeway.spec.simulation import SimulatorSource, SyntheticRows
from leeway.spec.topics import KafkaSource

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
BatchId = Annotated[str, Field(pattern=BATCH_PATTERN)]


class BatchBy(Strict):
    """How the rows of one table are cut into batches: by the values of a column."""

    column: Identifier
    batches: dict[BatchId, tuple[str | int, ...]] = Field(
        min_length=1,
        max_length=10_000,
        description="batch id to the values it holds, oldest batch first",
    )


class PackageSource(Strict):
    """A table that a Python package carries."""

    kind: Literal["package"]
    package: Literal["palmerpenguins"]
    batch_by: BatchBy


class FileSource(Strict):
    """A file, or a folder whose files are batches in order of their names.

    CSV, TSV and JSON lines, each also within gzip, Parquet and Excel. How a file is laid out is
    declared here and never guessed when it is read: the next one may tempt to another guess.
    """

    kind: Literal["file"]
    path: str = Field(min_length=1, description="a relative one starts at the folder `below`")
    below: Literal["project", "data_dir"] = Field(
        default="project", description="the project's folder, or that of LEEWAY_DATA_DIR"
    )
    sheet: str | None = Field(
        default=None, min_length=1, max_length=31, description="of .xlsx files; none: the first"
    )
    header: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="row of CSV, TSV and .xlsx that has the names, such as 4 where a title stands "
        "above them; none: the first",
    )
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        default=None, description="between the values of CSV; none: a comma, of .tsv a tab"
    )
    batch_by: BatchBy | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.below == "data_dir" and not _is_inside(self.path):
            raise ValueError(
                f"path: {self.path!r} leads out of LEEWAY_DATA_DIR; give it without a leading / "
                "and without .."
            )
        return self


def _check_url(url: str) -> str:
    """A public address: it is stored and shown, so it holds no secret."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("it holds a blank or another character to be written as %XX")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("it must begin with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user or password; what is in this file is no secret")
    return url


Url = Annotated[str, AfterValidator(_check_url)]


class ArchiveSource(Strict):
    """A file at a public address whose content never changes: a table, or an archive with one."""

    kind: Literal["archive"]
    url: Url
    digest: str = Field(pattern=DIGEST_PATTERN, description="SHA-256 of the file at `url`")
    member: str | None = Field(
        default=None, min_length=1, description="name of the table in a .tar.gz, .tar or .zip"
    )
    batch_by: BatchBy | None = None

    @property
    def file_name(self) -> str:
        """The name of the file at `url`."""
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @model_validator(mode="after")
    def _one_table(self) -> Self:
        name = self.file_name
        if "/" in name or "\\" in name or "\0" in name or name in ("", ".", ".."):
            raise ValueError(f"url: its last part {name!r} is no name of a file")
        packed = name.lower().endswith(ARCHIVES)
        if packed and self.member is None:
            raise ValueError(f"member: name the table in the archive {name}")
        if not packed and self.member is not None:
            raise ValueError(
                f"member: {name} is no archive, which ends in {', '.join(ARCHIVES)}; leave it out"
            )
        if self.member is not None and not _is_inside(self.member):
            raise ValueError(
                f"member: {self.member!r} leads out of the archive; give the name as the archive "
                "has it, without a leading / and without .."
            )
        return self


def _is_inside(member: str) -> bool:
    path = PurePosixPath(member)
    odd = "\\" in member or "\0" in member or ":" in path.parts[0]
    return not (odd or path.is_absolute() or ".." in path.parts)


_NAME = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_Path = Annotated[str, Field(pattern=rf"^{_NAME}(/{_NAME})*$")]
_Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]


class HttpSource(Strict):
    """Rows that an HTTP API gives as JSON, page by page, for each batch that it lists.

    `GET url/batches` gives a list of batch ids, oldest first. `GET url/rows?batch_parameter=ID&
    page_parameter=1&page_size_parameter=500` gives an object with the rows of the page, and the
    number of rows on all pages of the batch.
    """

    kind: Literal["http"]
    url: Url | None = None
    url_env: Variable | None = Field(
        default=None, description="name of the variable with the URL, where it is not public"
    )
    token_env: Variable | None = Field(
        default=None, description="name of the variable with the token, sent as Bearer"
    )
    batches: _Path = Field(description="path below `url` of the list of batches")
    rows: _Path = Field(description="path below `url` of the rows")
    batch_parameter: _Parameter
    page_parameter: _Parameter = "page"
    page_size_parameter: _Parameter = "page_size"
    page_size: int = Field(default=500, ge=1, le=100_000)
    rows_field: str = Field(default="items", min_length=1)
    total_field: str = Field(default="total", min_length=1)
    requests_per_second: float = Field(default=5, gt=0, le=1000)

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("url: give either url or url_env")
        return self


def _check_name(name: str) -> str:
    """A name in a database of others, which the driver quotes whatever it holds."""
    if not name or len(name) > 128 or not name.isprintable():
        raise ValueError("a name has 1 to 128 characters that can be printed")
    return name


SqlName = Annotated[str, AfterValidator(_check_name)]


class BatchByTime(Strict):
    """Batches by calendar periods, in UTC; one is a batch when it is over."""

    column: SqlName
    period: Literal["day", "month", "year"]


class BatchByKey(Strict):
    """Batches by ranges of a key that is a number from 0; one is a batch when it is full."""

    column: SqlName
    size: int = Field(ge=1, le=10**9, description="how many numbers a range has")


class SqlSource(Strict):
    """A table of a database; without a way to cut it, all of it is one batch."""

    kind: Literal["sql"]
    url_env: Variable = Field(description="name of the variable with SQLAlchemy's URL")
    database_schema: SqlName | None = None
    table: SqlName
    columns: tuple[SqlName, ...] = Field(default=(), description="empty: all that the table has")
    batch_by: BatchBy | None = None
    batch_by_time: BatchByTime | None = None
    batch_by_key: BatchByKey | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = {"batch_by": self.batch_by, "batch_by_time": self.batch_by_time,
                "batch_by_key": self.batch_by_key}  # fmt: skip
        given = [name for name, way in ways.items() if way is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: a table is cut in one way; give one")
        return self


Source = Annotated[
    PackageSource
    | FileSource
    | ArchiveSource
    | HttpSource
    | SqlSource
    | KafkaSource
    | SimulatorSource,
    Field(discriminator="kind"),
]


class StandIn(Strict):
    """What is read where `source` cannot be had; the first of the two that can.

    Never in production, and never once `source` has given a batch to the installation.
    """

    source: Source | None = Field(default=None, description="another source of the same columns")
    synthetic: SyntheticRows | None = Field(default=None, description="rows that are made up")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.source is None and self.synthetic is None:
            raise ValueError("give source, synthetic, or both; or remove stand_in")
        return self
