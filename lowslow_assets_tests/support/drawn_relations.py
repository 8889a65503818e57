"""Tables drawn from their schemas: small pools of values, so that joins and ties happen.

Values from the log are hostile or odd. A sign-in has the same values wherever its id occurs.
"""

import string
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from lowslow_assets.lake.tables import FAILURE, FEATURES, NODATA, OTHER, REFUSED, STOPPED, SUCCESS

HOSTILE = (
    "",
    " ",
    NODATA,
    "nodata",
    "'; DROP TABLE x; --",
    '"',
    "a'b",
    "\\",
    "\\'",
    "%_{0}{signins}",
    "NULL",
    "\x01\x1f\x7f\t\r\n",
    "line\u2028line\u0085\u00a0\u200b",
    "Ünïcode Straße ıİ",
    "Ünïcode Strasse ii",
    "e\u0301",
    "\u00e9",
    "\ufb01\u1e9e",
    "שלום مرحبا",
    "日本語",
    "\U0001f986\U0001f469\u200d\U0001f467",
    "\uffff\U0010ffff",
    "A" * 5_000,
    "A" * 4_999 + "B",
    "ß" * 300,
)
DAYS = (
    date(2000, 1, 1),
    date(2000, 2, 29),
    date(2026, 6, 30),
    date(2026, 7, 1),
    date(2026, 7, 2),
    date(2067, 12, 31),
)
# Microseconds from midnight: the limits of a second, an hour, a day.
_MOMENTS = (0, 1, 999_999, 1_000_000, 3_599_999_999, 3_600_000_000, 86_399_999_999, 43_200_123_456)
_ADDRESSES = (
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.255",
    "2001:db8::1",
    "2001:DB8::1",
    "::",
    "1b4d7e0c-9f1c-4c58-a3f4-0123456789ab",
    "1" * 46,
)
_DEGREES = (0.0, 0.1, -33.9, 59.91273, 59.91274, 90.0, -180.0, 179.9999999)
_WORDS: dict[str, tuple[str, ...]] = {
    "outcome": (SUCCESS, FAILURE, STOPPED, REFUSED, OTHER),
    "result_type": ("0", "50126", "50055", "50053", "50034", "50076", "0 ", "00"),
    "feature": FEATURES,
    "ip_address": _ADDRESSES,
}
_NEVER_NULL = {"date", "day", "feature", "outcome", "signin_id"}
_NULLS = 0.12


class Tenant:
    """What the relations of one drawing have in common: one pool of values per column name."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def table(self, schema: pa.Schema, rows: int, number: int, repeats: bool = False) -> pa.Table:
        """The relation with this number, with ``rows`` rows of the schema.

        Unless it ``repeats`` ids, no two rows have both day and id of a sign-in in common (the
        first of two such rows is left out), and rows with one id differ only in their day.
        """
        random = Random(f"{self._seed} table {number}")
        made: dict[Any, dict[str, Any]] = {}
        for place in range(rows):
            row = {field.name: self._value(field, random) for field in schema}
            if (id_ := row.get("signin_id")) and not repeats:
                own = Random(f"{self._seed} {id_}")
                row |= {f.name: self._value(f, own) for f in schema if f.name != "date"}
                row["signin_id"] = id_
                made[id_, row.get("date")] = row
            else:
                # In the log, the first value follows from the others, and the prefix from the
                # address.
                if repeats:
                    row["user"] = row["user_principal_name"] or row["user_id"]
                    row["ip_prefix"] = row["ip_address"]
                made[place] = row
        columns = [pa.array([row[f.name] for row in made.values()], f.type) for f in schema]
        return pa.Table.from_arrays(columns, schema=schema)

    def _value(self, field: pa.Field, random: Random) -> Any:
        if field.name not in _NEVER_NULL and random.random() < _NULLS:
            return None
        return random.choice(self._pool(field))

    def _pool(self, field: pa.Field) -> list[Any]:
        random = Random(f"{self._seed} {field.name}")
        size = random.choice((2, 4, 8))
        if field.name == "signin_id":
            return [f"{random.choice(HOSTILE)[:40]}{number}" for number in range(30)]
        if field.name in _WORDS:
            return list(_WORDS[field.name])
        kind = field.type
        if pa.types.is_string(kind):
            texts = random.sample(HOSTILE, size)
            return texts + ["".join(random.choices(string.printable, k=6)) for _ in range(2)]
        if pa.types.is_boolean(kind):
            return [True, False]
        if pa.types.is_date(kind):
            return list(DAYS)
        if pa.types.is_timestamp(kind):
            midnights = [datetime.combine(day, time(), UTC) for day in DAYS]
            return [at + timedelta(microseconds=random.choice(_MOMENTS)) for at in midnights * 3]
        if pa.types.is_floating(kind):
            return random.sample(_DEGREES, 5)
        if field.name in ("mask", "pattern", "bit"):
            return random.sample(range(1 << len(FEATURES)), size)
        # Counts, seconds, numbers of clusters; and, for wide columns, a number over 32 bits.
        largest = 2**40 if kind == pa.int64() else 86_400
        return [*range(size), 1_000, largest]
