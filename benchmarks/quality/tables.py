"""The real tables that the searches are compared on, and what their SOURCE.md prints of a baseline.

Belongs here: reading a table, its use case and its target. Does not belong here: fitting anything
(`benchmarks.quality.contenders`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from leeway.spec import UseCase

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table:
    """One table.

    `use_case` is one that ships, or None: then it is what `leeway new` infers for `target`.
    `printed` is the baseline of the table's SOURCE.md in `metric`, over all rows. Columns in
    `leaks` are parts of the label.
    """

    path: str
    target: str
    metric: str
    printed: str
    use_case: str | None = None
    leaks: tuple[str, ...] = ()


TABLES = {
    "penguins": Table(
        "palmer_penguins/penguins.csv", "species", "macro_f1", "0.9808 ± 0.0109", "penguins"
    ),
    "california_housing": Table(
        "california_housing/housing.csv.gz",
        "median_house_value",
        "mae",
        "32,125 ± 736",
        "housing",
    ),
    "realtor_usa": Table(
        "realtor_usa/realtor_raw_12k.csv.gz", "price", "rmse", "315,932 ± 11,993", "real_estate"
    ),
    "telecom_churn": Table(
        "telecom_churn/baseline.parquet", "churn", "roc_auc", "0.6690 ± 0.0097", "churn"
    ),
    "telco_churn_ibm": Table(
        "telco_churn_ibm/Telco-Customer-Churn.csv.gz", "Churn", "roc_auc", "0.8335 ± 0.0092"
    ),
    "ai4i2020": Table(
        "ai4i2020/ai4i2020.csv.gz",
        "Machine_failure",
        "roc_auc",
        "0.9758 ± 0.0051",
        leaks=("TWF", "HDF", "PWF", "OSF", "RNF"),
    ),
    "electricity_elec2": Table(
        "electricity_elec2/elec.csv.gz", "class", "roc_auc", "0.8873 ± 0.0032"
    ),
    "noaa_weather": Table("noaa_weather/weather.csv.gz", "target", "roc_auc", "0.8675 ± 0.0055"),
}


@dataclass(frozen=True)
class Rows:
    """A table as the contenders read it, in the order of the file.

    `frame` has the features of the use case. `raw` has every column but target and key, texts as
    categories and gaps left: what the baselines of SOURCE.md were given.
    """

    use_case: UseCase
    frame: pd.DataFrame
    raw: pd.DataFrame
    target: NDArray[Any]


@cache
def load(name: str, folder: Path, most: int, seed: int = 42) -> Rows:
    """Reads one table of `folder`; of more than `most` rows so many are drawn, in file order."""
    from leeway.data.frames import feature_frame, target_array
    from leeway.data.validation import validate
    from resources.files import read_file

    table = TABLES[name]
    source = read_file(folder / table.path).drop_columns(list(table.leaks))
    if name == "penguins":  # the package of the use case gives gaps where the file says NA
        columns = [pc.if_else(pc.equal(c, "NA"), None, c) for c in source.columns]
        source = pa.table(columns, names=source.column_names)
    use_case = _use_case(table, source)
    accepted = validate(source, use_case).accepted
    if table.use_case == "real_estate":  # the rows of the baseline: houses, not land alone
        accepted = accepted.filter(pc.is_valid(accepted["house_size"]))
    accepted = accepted.filter(pc.is_valid(accepted[use_case.target.name]))
    rows = np.sort(np.random.default_rng(seed).permutation(accepted.num_rows)[:most])
    accepted = accepted.take(rows)
    positions = accepted["row_number"].to_numpy() - 1
    raw = _raw(source.take(positions), table, use_case)
    return Rows(use_case, feature_frame(accepted, use_case), raw, target_array(accepted, use_case))


def _use_case(table: Table, source: pa.Table) -> UseCase:
    from leeway.scaffold.draft import infer
    from orchestration.use_cases import load_use_cases

    if table.use_case is not None:
        found = load_use_cases()[table.use_case]
    else:
        found = infer(source, path=table.path, target=table.target).use_case
    search = found.search.model_copy(update={"metric": table.metric})
    if table.use_case == "penguins":  # its package numbers the rows, the file does not
        key = found.key.model_copy(update={"type": "text", "from_position": True})
        columns = tuple(key if c.role == "key" else c for c in found.columns)
        found = found.model_copy(update={"columns": columns})
    return found.model_copy(update={"search": search})


def _raw(source: pa.Table, table: Table, use_case: UseCase) -> pd.DataFrame:
    import pandas as pd

    if table.use_case == "real_estate":  # the baseline of SOURCE.md names its columns
        source = source.select([c.source_name or c.name for c in use_case.feature_columns])
    frame: pd.DataFrame = source.to_pandas()
    key = use_case.key.source_name or use_case.key.name
    left_out = {table.target, key, "UDI", "Product ID"}  # UDI numbers the rows of ai4i2020
    frame = frame.drop(columns=[name for name in frame.columns if name in left_out])
    for name in frame.columns:
        if frame[name].dtype != object:
            continue
        texts = frame[name].where(frame[name].astype(str).str.strip() != "")
        numbers = pd.to_numeric(texts, errors="coerce")
        if numbers.isna().sum() == texts.isna().sum():
            frame[name] = numbers.astype(float)
            continue
        categories = pd.Categorical(texts)
        few = len(categories.categories) <= 255  # more are codes: scikit-learn has no more bins
        codes = np.where(categories.codes < 0, np.nan, categories.codes)
        frame[name] = categories if few else codes
    return frame
