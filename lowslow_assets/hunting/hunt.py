"""What a hunt reads: the window's tables, and the tables that the hunt itself has made."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from lowslow_assets.detection.baseline import FeatureBaseline, sum_counts
from lowslow_assets.detection.explanations import DAY_RULES_VERSION
from lowslow_assets.detection.masks import mask_signins
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.sql import Columns, sql
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.lake import Lake, window_days
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    FEATURE_BASELINE,
    FEATURES,
    NOTEBOOK_FEATURES,
    OPEN_FAILURES,
    SIGNIN_HOURS,
    SUCCESS,
    SUCCESS_SOURCES,
    USER_NAMES,
    Table,
)
from lowslow_assets.signins.users import renamed_users, under_usual_names

# The export's folders and the times of their rows differ by minutes, sometimes by hours.
_TIME_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class Hunt:
    """One day's hunt over its window."""

    day: date
    lake: Lake
    settings: HuntSettings

    def window_counts(self) -> Relation:
        """The window's counts per (feature, category), over its ingested days; held.

        Raises LakeError if a day was ingested with other settings than the hunt's day.
        """
        days = self.lake.read(CATEGORY_COUNTS, self.ingested_days(), self._encoding)
        return sum_counts(days).held()

    def sources(self) -> Relation:
        """The window's ``success_sources``; raises what ``window_counts`` raises."""
        return self._read(SUCCESS_SOURCES, self.ingested_days())

    def failure_sources(self) -> Relation:
        """The window's ``failure_sources``; raises what ``window_counts`` raises.

        Raises LakeError also if a day was explained by other rules than those of this version.
        """
        return self._read(FAILURE_SOURCES, self.ingested_days(), day_rules=DAY_RULES_VERSION)

    def open_failures(self) -> Relation:
        """The window's ``open_failures``, without times outside of it as in ``signins``.

        Raises what ``failure_sources`` raises.
        """
        rows = self._read(OPEN_FAILURES, self.ingested_days(), day_rules=DAY_RULES_VERSION)
        return self._in_window(rows)

    def success_hours(self) -> Counter[datetime]:
        """The window's successes by hour (UTC), without times outside of it as in ``signins``."""
        counts = Counter[datetime]()
        begin, end = self._time_bounds
        for row in self.lake.rows(SIGNIN_HOURS, self.ingested_days(), self._encoding):
            if row["outcome"] == SUCCESS and begin <= row["hour"] < end:
                counts[row["hour"]] += row["signins"]
        return counts

    def signins(self, days: Sequence[date] | None = None) -> Relation:
        """The window's ``encoded_features``, or those of some of its days.

        The few sign-ins with a time far from the window are left out, whatever folder they were in:
        one sign-in of the year 2000 would make a campaign 26 years long.
        """
        chosen = self.ingested_days() if days is None else days
        return self._in_window(self._read(ENCODED_FEATURES, chosen))

    def ingested_days(self) -> list[date]:
        """The window's ingested days, in order; the hunt's own day must be one of them."""
        there = set(self.lake.days(CATEGORY_COUNTS))
        return [day for day in self._window if day in there or day == self.day]

    def result(self, table: Table) -> Relation:
        """This hunt's partition of a table that was made before, with only the table's columns.

        Raises LakeError if the partition was made over another window or from other settings.
        """
        read = self.lake.read(table, [self.day], self.made_from)
        return sql("SELECT {columns} FROM {read}", columns=Columns(table.schema), read=read)

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """This hunt's rows of a small table; raises what ``result`` raises."""
        return self.lake.rows(table, [self.day], self.made_from)

    def baselines(self) -> list[FeatureBaseline]:
        """This hunt's baseline of each feature, in the order of FEATURES."""
        found = {row["feature"]: FeatureBaseline(**row) for row in self.rows(FEATURE_BASELINE)}
        return [found[feature] for feature in FEATURES]

    def mask(self, signins: Relation) -> Relation:
        """Rows (date, signin_id, mask), as of this day, of sign-ins with their features."""
        return mask_signins(signins, self.window_counts(), self.baselines())

    def no_rows(self, table: Table) -> Relation:
        """A table without rows."""
        return self.lake.engine.from_arrow(table.schema.empty_table())

    def write(self, table: Table, made: Relation | Sequence[Any]) -> int:
        """Write this hunt's partition of a table; returns its number of rows.

        A relation has the table's columns. It may also have a ``date``, which is that of a row and
        is not written: the partition's day is the hunt's day.
        """
        if isinstance(made, Relation):
            text = "SELECT {columns}, {day} AS date FROM {made}"
            dated = sql(text, columns=Columns(table.schema), made=made, day=self.day)
            return self.lake.write(table, dated, [self.day], self.made_from)[self.day].rows
        rows = [asdict(row) for row in made]
        return self.lake.write_rows(table, rows, self.day, self.made_from).rows

    @cached_property
    def made_from(self) -> dict[str, Any]:
        """What distinguishes this hunt's tables from those of a hunt with other settings."""
        return {
            "lookback_days": self.settings.lookback_days,
            "preset": self.settings.preset,
            "settings": self.settings.digest,
            **self._encoding,
        }

    @property
    def model_features(self) -> tuple[str, ...]:
        """The features or properties that the bits of the model's masks stand for."""
        return NOTEBOOK_FEATURES if self.settings.of_notebook else tuple(MODEL_PROPERTIES)

    def _read(self, table: Table, days: Sequence[date], **rules: int) -> Relation:
        """Days of a table with users; each user has the name that is usual for it in the window."""
        rows = self.lake.read(table, days, self._encoding | rules)
        return under_usual_names(table, rows, self._renamed)

    @cached_property
    def _renamed(self) -> Relation:
        names = self.lake.read(USER_NAMES, self.ingested_days())
        return renamed_users(names, self.day).held()

    def _in_window(self, rows: Relation) -> Relation:
        first, last = self._time_bounds
        return sql(
            "SELECT * FROM {rows} WHERE time_generated BETWEEN {first} AND {last}",
            rows=rows,
            first=first,
            last=last,
        )

    @cached_property
    def _time_bounds(self) -> tuple[datetime, datetime]:
        midnight = datetime.combine(self._window[0], time(), UTC)
        after = datetime.combine(self.day + timedelta(days=1), time(), UTC)
        return midnight - _TIME_SLACK, after + _TIME_SLACK

    @cached_property
    def _window(self) -> list[date]:
        return window_days(self.day, self.settings.lookback_days)

    @cached_property
    def _encoding(self) -> dict[str, Any]:
        partition = self.lake.partition(CATEGORY_COUNTS, self.day)
        return dict(partition.made_from) if partition else {}
