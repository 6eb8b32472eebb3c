"""Tables as people have them, that `leeway new` was not written for: each by a seeded generator.

Belongs here: writing a table to a file, and what must be found in it. Does not belong here: running
anything on it.

Every target can be learned: a model of it must be better than none.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from openpyxl import Workbook
from pyarrow import parquet

Random = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """One kind of table.

    `roles` are type and role of columns by the names that they get here, `says` are words of the
    assumptions, and `rejected` rows have a value that cannot be used.
    """

    file: str
    target: str
    write: Callable[[Path, Random], None]
    task: str
    rows: int
    roles: Mapping[str, tuple[str, str]]
    says: tuple[str, ...]
    rejected: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    def make(self, folder: Path) -> Path:
        """Writes the table, the same at every call."""
        path = folder / self.file
        self.write(path, np.random.default_rng([*self.file.encode()]))
        return path


def german(number: float, places: int = 2) -> str:
    """1234.5 as 1.234,50."""
    return f"{number:,.{places}f}".translate(str.maketrans(",.", ".,"))


def rents(path: Path, random: Random) -> None:
    """What Excel writes on a German computer: semicolons, decimal commas, a byte order mark."""
    rows = 400
    area = random.uniform(25, 160, rows)
    district = random.choice(["Mitte", "Köpenick", "Neukölln", "Schöneberg"], rows)
    dear = pd.Series(district).map({"Mitte": 1.5, "Schöneberg": 1.2}).fillna(1).to_numpy()
    rent = 200 + 11 * area * dear + random.normal(0, 60, rows)
    began = [datetime(2019, 1, 31, tzinfo=UTC) + timedelta(days=int(d)) for d in range(rows)]
    table = {
        "Wohnungs-Nr.": [f"W{n:04d}" for n in random.permutation(rows)],
        "Größe (m²)": [german(each) for each in area],
        "Bezirk": district,
        "Kaltmiete": [f"{german(each)} €" for each in rent],
        "Mieterhöhung": [f"{german(each, 1)} %" for each in random.uniform(0, 9, rows)],
        "Mietbeginn": [each.strftime("%d.%m.%Y") for each in began],
        "Balkon": random.choice(["ja", "nein"], rows),
        "Bemerkung": [
            f"Die Wohnung liegt im {n % 37}. Haus an der großen Straße" for n in range(rows)
        ],
    }
    pd.DataFrame(table).to_csv(path, sep=";", index=False, encoding="utf-8-sig")


def bookings(path: Path, random: Random) -> None:
    """A sheet of Excel that people look at: a merged title, an empty row, another sheet."""
    rows = 300
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Bookings"
    sheet.append(["Hotel bookings, 2nd half of 2024"])
    sheet.merge_cells("A1:H1")
    sheet.append([])
    sheet.append(["Booking No", "Arrival", "Nights", "Deposit paid", "Discount", "Room", "Guest",
                  "Cancelled?"])  # fmt: skip
    for row in range(rows):
        paid, nights = random.random() < 0.5, int(random.integers(1, 15))
        cancelled = random.random() < (0.1 if paid else 0.45 + nights / 60)
        sheet.append([
            10_000 + row, datetime(2024, 7, 1) + timedelta(days=row // 2), nights,  # noqa: DTZ001  # Excel has no zones
            "Y" if paid else "N", f"{int(random.integers(0, 6)) * 5}%",
            str(random.choice(["single", "double", "suite"])), f"Guest {row}",
            "Y" if cancelled else "N",
        ])  # fmt: skip
    book.create_sheet("How to read this")
    book.save(path)


def machines(path: Path, random: Random) -> None:
    """JSON lines of an API, packed: keys that rows lack, epoch seconds, three classes."""
    lines = []
    for row in range(600):
        heat, speed = random.normal(70, 9), random.integers(900, 1500)
        worn = heat + speed / 100 + random.normal(0, 3)
        line = {
            "uuid": f"{int(random.integers(2**60)):015x}{row:05x}", "ts": 1_700_000_000 + row * 613,
            "temp": {"C": 0}["C"] or round(heat, 2), "speed_rpm": int(speed),
            "firmware": str(random.choice(["v1.2", "v1.3", "v2.0"])),
            "door_open": bool(random.random() < 0.2), "operator": None,
            "state": "ok" if worn < 82 else "warn" if worn < 90 else "fail",
        }  # fmt: skip
        for key in ("temp", "door_open", "firmware"):
            if random.random() < 0.08:
                del line[key]
        lines.append(json.dumps(line))
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def orders(path: Path, random: Random) -> None:
    """Parquet of a warehouse: decimals, zones, days, dictionaries, lists, narrow integers."""
    rows = 500
    items = random.integers(1, 9, rows)
    price = random.gamma(3, 20, rows)
    total = [Decimal(f"{each:.2f}") for each in items * price * 0.9 + random.normal(0, 8, rows)]
    start = datetime(2024, 3, 1, tzinfo=UTC)
    moments = [start + timedelta(hours=7 * row) for row in range(rows)]
    table = pa.table({
        "order_key": pa.array(random.permutation(rows) + 2**40, pa.int64()),
        "placedAt": pa.array(moments, pa.timestamp("ns", tz="Europe/Paris")),
        "shipDay": pa.array([each.date() for each in moments], pa.date32()),
        "items": pa.array(items, pa.int8()),
        "unitPrice": pa.array([Decimal(f"{each:.4f}") for each in price], pa.decimal128(12, 4)),
        "channel": pa.array(random.choice(["web", "shop", "phone"], rows)).dictionary_encode(),
        "gift": pa.array(random.random(rows) < 0.3),
        "tags": pa.array([["a", "b"]] * rows),
        "waited": pa.array(random.integers(0, 9**6, rows), pa.duration("s")),
        "total": pa.array(total, pa.decimal128(10, 2)),
    })  # fmt: skip
    parquet.write_table(table, path)


def patients(path: Path, random: Random) -> None:
    """What pandas writes of a survey: its index, words of SQL, quotes, codes, blank targets."""
    rows = 350
    age = random.integers(18, 95, rows)
    pressure = random.normal(120, 14, rows).round()
    sick = (age - 55) / 12 + (pressure - 120) / 10 + random.normal(0, 1, rows) > 0
    pd.DataFrame({
        "Unnamed: 0.1": range(rows),
        "select": age,
        'the "real" one': np.where(random.random(rows) < 0.1, -999, pressure.astype(int)),
        "order by": random.choice(["O'Brien", 'say "no"', "none; drop table x"], rows),
        "{{ jinja }}": random.choice(["{{ 1/0 }}", "{% raw %}", "plain"], rows),
        "country": "Österreich",
        "remarks": [None] * rows,
        "Smoker": random.choice(["YES", "NO", "n/a"], rows),
        "row": random.permutation(rows) + 1,
        "ill": [None if row % 29 == 5 else str(int(each)) for row, each in enumerate(sick)],
    }).to_csv(path)  # fmt: skip


def houses(path: Path, random: Random) -> None:
    """American: dollars, thousands, months first, ZIP codes with their zeros, and no name twice."""
    rows = 1500
    zips = np.array([f"{code:05d}" for code in random.integers(501, 3000, 150)])
    worth = dict(zip(zips, random.uniform(0.6, 2.2, len(zips)), strict=True))
    where = random.choice(zips, rows)
    feet = random.integers(600, 4200, rows)
    price = 90_000 + 140 * feet * np.array([worth[each] for each in where])
    sold = [
        datetime(2022, 1, 1, tzinfo=UTC) + timedelta(days=int(d))
        for d in random.integers(0, 900, rows)
    ]
    pd.DataFrame({
        "ZIP": where,
        "Sq. Feet": [f"{each:,}" for each in feet],
        "Sold": [each.strftime("%m/%d/%Y") for each in sold],
        "Tax": [f"{each:.1f}%" for each in random.uniform(0.5, 3, rows)],
        "Lot": random.choice(["corner", "inside", "n/a"], rows),
        "HOA": [f"${each:,.2f}" for each in random.gamma(2, 400, rows)],
        "Price": [f"${each:,.0f}" for each in price * random.normal(1, 0.05, rows)],
    }).to_csv(path, index=False)  # fmt: skip


def payments(path: Path, random: Random) -> None:
    """One fraud in two hundred payments."""
    rows = 6000
    fraud = np.arange(rows) % 200 == 7
    home = random.choice(["DE", "FR"], rows)
    pd.DataFrame({
        "payment_id": random.permutation(rows) + 1,
        "amount_eur": (random.gamma(2, 30, rows) + fraud * 150).round(2),
        "hour": random.integers(0, 24, rows) * ~fraud + fraud * random.integers(1, 5, rows),
        "country": np.where(fraud & (random.random(rows) < 0.5), "XX", home),
        "new_device": np.where(random.random(rows) < np.where(fraud, 0.8, 0.1), "Y", "N"),
        "fraud": np.where(fraud, "1", "0"),
    }).to_csv(path, index=False)  # fmt: skip


def letters(path: Path, random: Random) -> None:
    """Thirty classes, sorted, and numbered in that order: the number gives the class away."""
    rows = 1200
    kind = np.repeat(np.arange(30), rows // 30)
    centres = random.normal(0, 3, (30, 6))
    table = {f"f{i}": (centres[kind, i] + random.normal(0, 1, rows)).round(3) for i in range(6)}
    index = {"sample": range(1, rows + 1), "nr_2": np.arange(rows) * 3 + 7}
    labels = {"glyph": [f"char {each:02d}" for each in kind]}
    pd.DataFrame(index | table | labels).to_csv(path, sep="\t", index=False)


def trial(path: Path, random: Random) -> None:
    """A tiny table of a laboratory: forty rows, tabs in a file that is called .csv, 1 234,5."""
    rows = 40
    dose = random.uniform(800, 2600, rows)
    effect = dose / 40 + random.normal(0, 4, rows)
    pd.DataFrame({
        "Versuch": range(1, rows + 1),
        "Dosis [mg]": [german(each, 1).replace(".", "\u202f") for each in dose],
        "Labor": random.choice(["Genf", "Zürich"], rows),
        "Gewicht": [f"{german(each, 1)} kg" for each in random.normal(75, 9, rows)],
        "Wirkung": [german(each, 1) for each in effect],
    }).to_csv(path, sep="\t", index=False)  # fmt: skip


def weather(path: Path, random: Random) -> None:
    """Japanese, with a title above the names, several rows of each station and day, split by |."""
    lines = ["気象データ|2024年", "", "station_id|観測所|日付|時|気温(℃)|湿度|気圧|天気"]
    stations = {47662: "東京", 47772: "大阪", 47412: "札幌", 47936: "那覇"}
    for code, station in stations.items():
        for day in range(50):
            for hour in (6, 12, 18):
                wet = random.uniform(30, 100)
                sky = "雨" if wet > 78 else "曇り" if wet > 60 else "晴れ"
                when = (datetime(2024, 4, 1, tzinfo=UTC) + timedelta(days=day)).strftime(
                    "%Y/%-m/%-d"
                )
                humidity = "" if random.random() < 0.05 else f"{wet + random.normal(0, 3):.1f}%"
                lines.append(f"{code}|{station}|{when}|{hour}|{random.normal(15, 6):.1f}|{humidity}"
                             f"|{random.normal(1013, 6):.0f}|{sky}")  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


KINDS: dict[str, Kind] = {
    "rents": Kind(
        "mieten-2024.csv", "Kaltmiete", rents, "regression", 400,
        {"wohnungs_nr": ("text", "key"), "grosse_m2": ("number", "feature"),
         "kaltmiete": ("number", "target"), "mieterhohung": ("number", "feature"),
         "mietbeginn": ("date", "time"), "bemerkung": ("text", "ignored")},
        ("separated by ';'", "numbers are written like 1.234,5: grosse_m2, kaltmiete, mieterhohung",
         "dates are written like 31/12/2009: mietbeginn", "€ stands beside numbers: kaltmiete"),
    ),
    "bookings": Kind(
        "bookings.xlsx", "Cancelled?", bookings, "classification", 300,
        {"booking_no": ("integer", "key"), "arrival": ("date", "time"),
         "deposit_paid": ("category", "feature"), "discount": ("integer", "feature"),
         "guest": ("text", "ignored"), "cancelled": ("category", "target")},
        ("row 3 has the names", "the table is the first sheet, Bookings"),
    ),
    "machines": Kind(
        "machines.jsonl.gz", "state", machines, "classification", 600,
        {"uuid": ("text", "key"), "ts": ("integer", "time"), "temp": ("number", "feature"),
         "door_open": ("boolean", "feature"), "operator": ("text", "ignored")},
        ("seconds since 1970", "3 classes"),
    ),
    "orders": Kind(
        "orders.parquet", "total", orders, "regression", 500,
        {"order_key": ("integer", "key"), "placed_at": ("timestamp", "ignored"),
         "ship_day": ("date", "ignored"), "unit_price": ("number", "feature"),
         "channel": ("category", "feature"), "tags": ("text", "ignored"),
         "waited": ("integer", "feature"), "total": ("number", "target")},
        ("--time",),
    ),
    "patients": Kind(
        "patients.csv", "ill", patients, "classification", 350,
        {"source_select": ("integer", "feature"), "order_by": ("category", "feature"),
         "country": ("text", "ignored"), "remarks": ("text", "ignored"),
         "smoker": ("category", "feature"), "row": ("integer", "ignored"),
         "ill": ("boolean", "target")},
        ("rows without ill (12)", "numbers the rows", "'-999' means that there is no value"),
    ),
    "houses": Kind(
        "houses.csv", "Price", houses, "regression", 1500,
        {"zip": ("category", "feature"), "sq_feet": ("integer", "feature"),
         "sold": ("date", "time"), "tax": ("number", "feature"), "hoa": ("number", "feature"),
         "price": ("integer", "target")},
        ("written like 1,234.5: sq_feet, hoa, price", "like 12/31/2009: sold",
         "each (encoding): zip"),
    ),
    "payments": Kind(
        "payments.csv", "fraud", payments, "classification", 6000,
        {"payment_id": ("integer", "key"), "country": ("category", "feature"),
         "fraud": ("boolean", "target")},
        ("0.5%", "only 30 rows are 'true'"),
    ),
    "letters": Kind(
        "letters.tsv", "glyph", letters, "classification", 1200,
        {"sample": ("integer", "ignored"), "nr_2": ("integer", "ignored"),
         "glyph": ("category", "target")},
        ("30 classes",),
    ),
    "trial": Kind(
        "trial.csv", "Wirkung", trial, "regression", 40,
        {"dosis_mg": ("number", "feature"), "gewicht": ("number", "feature"),
         "labor": ("category", "feature"), "wirkung": ("number", "target")},
        ("separated by '\\t'", "only 40 rows"),
    ),
    "weather": Kind(
        "weather.csv", "天気", weather, "classification", 600,
        {"station_id": ("category", "feature"), "column_2": ("category", "feature"),
         "column_3": ("date", "time"), "column_8": ("category", "target")},
        ("row 3 has the names", "separated by '|'",
         "station_id is the same in several rows, 150 on average"),
    ),
}  # fmt: skip
