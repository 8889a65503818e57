"""Every table of the lake: its name, what it is for, its columns.

A schema is written here once. The writer, the check on reading, the columns that
the UI shows and the table list in ``docs/tables.md`` come from it. Each table is
stored under ``<lake>/<name>/date=YYYY-MM-DD/``; ``date`` is not repeated below.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from lowslow_assets.engines.schemas import type_name

FEATURES = (
    "AppDisplayName",
    "ClientAppUsed",
    "browser",
    "displayName",
    "operatingSystem",
    "network",
    "Location",
    "state",
    "city",
    "agent",
)
"""The properties that a hunt treats as categorical; bit i of an anomaly mask is FEATURES[i]."""
NOTEBOOK_FEATURES = FEATURES[:9]
"""Those of the public notebook."""
NODATA = "NODATA"
"""The category of a value that the log does not have."""
MAX_CATEGORY_LENGTH = 256

SUCCESS, FAILURE, STOPPED, REFUSED, OTHER = "success", "failure", "stopped", "refused", "other"
"""The values of ``outcome``; all but a success and ``other`` are attempts."""

SOURCE = ("network", "ip_prefix", "Location", "state", "city", "latitude", "longitude")
"""The columns that say from where a sign-in comes."""


@dataclass(frozen=True)
class Table:
    """A table as users see it; column descriptions are the fields' metadata ``comment``."""

    name: str
    description: str
    schema: pa.Schema
    order: tuple[str, ...] = ()
    """The columns by which an engine sorts its rows, so that equal values are together; empty for
    all columns."""

    @cached_property
    def schema_digest(self) -> str:
        """Changes when the name, type or position of a column does."""
        described = type_name(pa.struct(list(self.schema)))
        return hashlib.sha256(described.encode()).hexdigest()[:12]

    @cached_property
    def dated(self) -> pa.Schema:
        """The schema of rows that the lake reads: the last column is their day."""
        return pa.schema([*self.schema, pa.field("date", pa.date32())])

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        """Name, type and description of each column."""
        return [
            (field.name, type_name(field.type), (field.metadata or {})[b"comment"].decode())
            for field in self.schema
        ]


_STRING, _LONG, _DOUBLE = pa.string(), pa.int64(), pa.float64()
CATEGORIES = pa.schema([pa.field(feature, _STRING) for feature in FEATURES])
"""The columns of a sign-in that hold its categories."""
_TIMESTAMP, _BOOLEAN, _INT = pa.timestamp("us", "UTC"), pa.bool_(), pa.int32()
_DATE, _STRINGS = pa.date32(), pa.list_(pa.string())

_Column = tuple[str, pa.DataType, str]


def _table(name: str, description: str, *columns: _Column, order: tuple[str, ...] = ()) -> Table:
    fields = [pa.field(column, kind, metadata={"comment": text}) for column, kind, text in columns]
    return Table(name, description, pa.schema(fields), order)


_SIGNIN_ID: _Column = ("signin_id", _STRING, "Id of the sign-in in the log")
_TIME: _Column = ("time_generated", _TIMESTAMP, "When it happened (UTC)")
_USER: _Column = (
    "user",
    _STRING,
    "The account by its usual name, in lower case: docs/input.md",
)
_USER_ID: _Column = (
    "user_id",
    _STRING,
    "Object id of the user or service principal, in lower case",
)
_OUTCOME: _Column = (
    "outcome",
    _STRING,
    "success, failure (password wrong), stopped (password right, but something else stopped it), "
    "refused (before the password counted) or other",
)
_ATTEMPT: _Column = ("outcome", _STRING, "failure, stopped or refused")
_RESULT: _Column = ("result_type", _STRING, "The log's result code: docs/outcomes.md")
_CLUSTER_ID: _Column = ("cluster_id", _INT, "Number of the cluster, see pruned_clusters")
_INCIDENT_ID: _Column = ("incident_id", _STRING, "Id of the incident: its campaign's")
_FEATURE: _Column = ("feature", _STRING, "Property of a sign-in")

_FEATURE_COMMENTS = {
    "AppDisplayName": "Application signed in to",
    "ClientAppUsed": "Kind of client",
    "browser": "Browser, from DeviceDetail",
    "displayName": "Name of the device, from DeviceDetail",
    "operatingSystem": "Operating system, from DeviceDetail, without spaces",
    "network": "Autonomous system (AS64500) if the log has it, else the address prefix",
    "Location": "Country or region",
    "state": "State, from LocationDetails",
    "city": "City, from LocationDetails",
    "agent": "Product that the user agent header names first, without version; only if "
    "DeviceDetail has neither browser nor operating system",
}
_FEATURE_COLUMNS: list[_Column] = [(f, _STRING, _FEATURE_COMMENTS[f]) for f in FEATURES]
_USER_AGENT: _Column = (
    "user_agent",
    _STRING,
    "Of an attempt: its user agent header, cut to 256 characters; null if there is none",
)
_ADDRESS: _Column = ("ip_address", _STRING, "Address as logged")
_PREFIX: _Column = ("ip_prefix", _STRING, "First three octets (IPv4) or /48 (IPv6)")
_PLACE_COLUMNS: list[_Column] = [
    _ADDRESS,
    _PREFIX,
    ("latitude", _DOUBLE, "Degrees north, null if unknown"),
    ("longitude", _DOUBLE, "Degrees east, null if unknown"),
]

RAW_SIGNINS = _table(
    "raw_signins",
    "The day's sign-ins with typed columns, one row per Id; all other tables are made from it.",
    _SIGNIN_ID,
    _TIME,
    (
        "user_principal_name",
        _STRING,
        "User as logged (a GUID occurs), or a service principal's name",
    ),
    _USER_ID,
    _USER,
    ("result_type", _STRING, "0 is a success, any other an error code"),
    ("is_interactive", _BOOLEAN, "Whether a person was at the keyboard"),
    ("app_display_name", _STRING, "Application signed in to"),
    ("client_app_used", _STRING, "Kind of client"),
    ("browser", _STRING, "DeviceDetail.browser"),
    ("device_name", _STRING, "DeviceDetail.displayName"),
    ("operating_system", _STRING, "DeviceDetail.operatingSystem"),
    ("user_agent", _STRING, "User agent header"),
    ("ip_address", _STRING, "The host that the logged address names; null if it names none"),
    _PREFIX,
    ("autonomous_system_number", _LONG, "Number of the address's network"),
    ("country", _STRING, "Location, else LocationDetails.countryOrRegion"),
    ("state", _STRING, "LocationDetails.state"),
    ("city", _STRING, "LocationDetails.city"),
    ("latitude", _DOUBLE, "Degrees north, null if unknown (0,0 is unknown)"),
    ("longitude", _DOUBLE, "Degrees east, null if unknown (0,0 is unknown)"),
    (
        "unread",
        _STRING,
        "Which values could not be read: address, device, place, result; usually null",
    ),
    ("copies", _LONG, "Rows that the export has for this Id on this day"),
    order=("user_principal_name", "time_generated", "signin_id"),
)

REJECTED_SIGNINS = _table(
    "rejected_signins",
    "Lines and files of the day's export that are not sign-ins, each with the reason.",
    ("file", _STRING, "Path within the export"),
    ("reason", _STRING, "Why it was rejected"),
    ("line", _STRING, "The line, cut to 1,024 characters; null for a whole file"),
    order=("file", "reason", "line"),
)

USER_NAMES = _table(
    "user_names",
    "The name under which the day has each user id, from which a hunt names the accounts of its "
    "window.",
    _USER_ID,
    ("user", _STRING, "The day's usual name, in lower case; the id if there is none"),
    ("signins", _LONG, "Sign-ins with this id and name"),
    order=("user_id", "user"),
)

ENCODED_FEATURES = _table(
    "encoded_features",
    "The day's sign-ins as categories, one column per feature: what hunts compare.",
    _SIGNIN_ID,
    _TIME,
    _USER,
    _OUTCOME,
    _RESULT,
    (
        "seconds_to_success",
        _INT,
        "Of an attempt: seconds to the user's next success from the network that day; else null",
    ),
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    _USER_AGENT,
    order=("outcome", "user", "time_generated", "signin_id"),
)

CATEGORY_COUNTS = _table(
    "category_counts",
    "How often each category occurs on the day; a window's baseline is a sum of these.",
    _FEATURE,
    ("category", _STRING, "Value of the feature"),
    ("successes", _LONG, "Successes with this category"),
    ("failures", _LONG, "Sign-ins with this category and a wrong or an expired password"),
    order=("feature", "category"),
)

SUCCESS_SOURCES = _table(
    "success_sources",
    "From where each user succeeded on the day, one row per user, network, place and system: "
    "where users are at home.",
    _USER,
    ("network", _STRING, _FEATURE_COMMENTS["network"]),
    _PREFIX,
    ("Location", _STRING, _FEATURE_COMMENTS["Location"]),
    ("state", _STRING, _FEATURE_COMMENTS["state"]),
    ("city", _STRING, _FEATURE_COMMENTS["city"]),
    ("latitude", _DOUBLE, "Degrees north, null if unknown"),
    ("longitude", _DOUBLE, "Degrees east, null if unknown"),
    ("operatingSystem", _STRING, _FEATURE_COMMENTS["operatingSystem"]),
    ("successes", _LONG, "Successes from there"),
    ("first_success", _TIMESTAMP, "The earliest (UTC), to the second"),
    ("seconds", _INT, "From the earliest to the latest"),
    order=("user", *SOURCE, "operatingSystem"),
)

FAILURE_SOURCES = _table(
    "failure_sources",
    "From where each user's attempts (failed, stopped, refused) came on the day, one row per user, "
    "address and explanation: other attempts are explained by these.",
    _USER,
    _PREFIX,
    _ADDRESS,
    ("explanation", _STRING, "What of the day explains them; null for open_failures"),
    ("failures", _LONG, "Failures from there"),
    ("invented", _LONG, "Those of them for a name that has no account"),
    ("first_failure", _TIMESTAMP, "The earliest (UTC), to the second"),
    ("seconds", _INT, "From the earliest to the latest"),
    order=("user", "ip_prefix", "ip_address", "explanation"),
)

OPEN_FAILURES = _table(
    "open_failures",
    "The day's attempts (failed, stopped, refused) that nothing of the day explains, which a hunt "
    "reads one by one.",
    _SIGNIN_ID,
    _TIME,
    _USER,
    _ATTEMPT,
    _RESULT,
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    _USER_AGENT,
    order=("user", "time_generated", "signin_id"),
)

SIGNIN_HOURS = _table(
    "signin_hours",
    "The day's sign-ins counted by outcome and hour, for checks of volume and for rhythms.",
    _OUTCOME,
    ("hour", _TIMESTAMP, "Beginning of the hour (UTC)"),
    ("signins", _LONG, "Sign-ins in it"),
)

FEATURE_BASELINE = _table(
    "feature_baseline",
    "The window's baseline per feature, which decides when a category is anomalous.",
    _FEATURE,
    ("successes", _LONG, "N: successes in the window"),
    ("failures", _LONG, "Sign-ins with a wrong or an expired password in the window"),
    ("categories", _LONG, "K: distinct categories among successes and failures"),
    ("entropy", _DOUBLE, "Shannon entropy of the successes' categories, in nats"),
    ("normalized_entropy", _DOUBLE, "Entropy over its maximum, log K; null if K is 1"),
    ("mean_log_probability", _DOUBLE, "mu: mean of log p over successes"),
    ("sd_log_probability", _DOUBLE, "sigma: standard deviation of log p over successes"),
    ("threshold", _DOUBLE, "mu - 2 sigma: a category with log p below is anomalous"),
    ("anomalous_below", _LONG, "The same as a count: anomalous with fewer successes than this"),
    ("anomalous_categories", _LONG, "Distinct anomalous categories"),
    ("anomalous_failures", _LONG, "Failures with an anomalous category"),
    ("anomalous_failure_share", _DOUBLE, "The same over all failures; null without failures"),
)

ANOMALY_MASKS = _table(
    "anomaly_masks",
    "The day's successes and attempts, each with the features in which it is anomalous.",
    _SIGNIN_ID,
    _OUTCOME,
    ("mask", _INT, "Bit i is set if the i-th feature's category is anomalous"),
    order=("signin_id",),
)

EXPLAINED_FAILURES = _table(
    "explained_failures",
    "What explains the window's attempts (failed, stopped, refused) as harmless or loud: one row "
    "per explanation, and one per account and address that fails most.",
    (
        "explanation",
        _STRING,
        "The rule that explains them; known: and a reason, if it is a known source",
    ),
    ("failures", _LONG, "Attempts"),
    ("users", _LONG, "Distinct users"),
    ("addresses", _LONG, "Distinct addresses"),
    ("source_days", _LONG, "Days with attempts, added up over accounts and addresses"),
    ("example", _STRING, "The account, address, prefix or hour; null in the row for all"),
    ("minutes_apart", _DOUBLE, "Average time between two; null in the row for all"),
    ("reason", _STRING, "In a sentence"),
)

SUSPECT_FAILURES = _table(
    "suspect_failures",
    "The window's attempts (failed, stopped, refused) that nothing explains, in which campaigns "
    "are looked for.",
    _SIGNIN_ID,
    _TIME,
    _USER,
    _ATTEMPT,
    _RESULT,
    ("mask", _INT, "Its anomaly mask as of this day"),
    ("pattern", _INT, "Bit i is set if it is anomalous in the model's i-th property"),
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    order=("time_generated", "signin_id"),
)

MASK_PATTERNS = _table(
    "mask_patterns",
    "The distinct patterns of anomalous properties among the suspects, with their counts, to which "
    "the mixture is fitted (preset notebook: all failures by anomaly mask).",
    ("mask", _INT, "Bit i is set if the model's i-th feature is anomalous"),
    ("anomalous_features", _STRINGS, "The same by name"),
    ("failures", _LONG, "Failures with this mask"),
)

MIXTURE_MODEL = _table(
    "mixture_model",
    "The Bernoulli mixture that is fitted to the patterns, one row per component and feature.",
    ("component", _INT, "0 is the one with the largest weight"),
    ("concentration", _DOUBLE, "Dirichlet parameter of the component's weight"),
    ("weight", _DOUBLE, "Its expected weight"),
    _FEATURE,
    ("alpha", _DOUBLE, "Beta parameter for anomalous"),
    ("beta", _DOUBLE, "Beta parameter for normal"),
    ("probability", _DOUBLE, "E[P]: expected probability that the feature is anomalous"),
    ("geometric_probability", _DOUBLE, "exp(E[log P]), with which pruning compares"),
)

_TEST = pa.struct(
    [
        pa.field("name", _STRING),
        pa.field("passed", _BOOLEAN),
        pa.field("value", _DOUBLE),
        pa.field("explanation", _STRING),
    ]
)

PRUNED_CLUSTERS = _table(
    "pruned_clusters",
    "Every cluster of the hunt, kept or pruned, with the reason why it is or is not an incident.",
    ("cluster_id", _INT, "Number of the cluster"),
    ("component", _INT, "Its component of the day's mixture model"),
    ("weight", _DOUBLE, "Expected weight of the component"),
    ("anomalous_features", _STRINGS, "Features in which it is consistently anomalous"),
    (
        "failures",
        _LONG,
        "Failures that belong to the cluster with enough probability, without gathered ones",
    ),
    ("attempts_per_day", _DOUBLE, "Those over the window's length, in failures per day"),
    ("kept", _BOOLEAN, "Whether it is a candidate"),
    ("reason", _STRING, "Why it was kept or pruned, or which cluster it has joined"),
    (
        "tests",
        pa.list_(_TEST),
        "Each test of a spray, with its value; none for what the preset notebook prunes",
    ),
    (
        "confidence",
        _DOUBLE,
        "Probability, 0 to 1, that it is a campaign; null without tests",
    ),
)

CLUSTER_MEMBERS = _table(
    "cluster_members",
    "The attempts of each kept cluster, with their probabilities, and what was gathered: others "
    "from its own sources or with its tool.",
    _SIGNIN_ID,
    _CLUSTER_ID,
    (
        "assignment_probability",
        _DOUBLE,
        "Probability that it belongs to the cluster; 0.5 if it was gathered",
    ),
    _TIME,
    _USER,
    _ATTEMPT,
    _RESULT,
    ("mask", _INT, "Its anomaly mask as of this day"),
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    order=("cluster_id", "time_generated", "signin_id"),
)

CLUSTER_STATISTICS = _table(
    "cluster_statistics",
    "The size, pace and rhythm of each kept cluster, which the tests of a spray judge.",
    _CLUSTER_ID,
    ("failures", _LONG, "Members"),
    ("users", _LONG, "Distinct accounts tried"),
    ("invented_names", _LONG, "Distinct names tried that have no account"),
    ("ip_addresses", _LONG, "Distinct addresses"),
    ("countries", _LONG, "Distinct countries"),
    ("attempts_per_user", _DOUBLE, "Members over accounts and invented names"),
    ("attempts_per_address", _DOUBLE, "Members over addresses"),
    ("first_activity", _TIMESTAMP, "Earliest member (UTC)"),
    ("last_activity", _TIMESTAMP, "Latest member (UTC)"),
    ("active_days", _LONG, "Days (UTC) with a member"),
    ("span_days", _LONG, "Days from the first to the last"),
    ("attempts_per_day", _DOUBLE, "Members over span_days"),
    ("ks_statistic", _DOUBLE, "Kolmogorov-Smirnov distance of its times from uniform"),
    ("ks_p_value", _DOUBLE, "Its p-value; null below 3 members"),
    ("hour_distance", _DOUBLE, "Hour of day against the successes': 0 same rhythm, 1 disjoint"),
    ("hour_p_value", _DOUBLE, "p-value of their chi-squared test of homogeneity"),
    ("weekday_distance", _DOUBLE, "Day of week against the successes': 0 same rhythm, 1 disjoint"),
    ("weekday_p_value", _DOUBLE, "p-value of their chi-squared test of homogeneity"),
)

CLUSTER_FEATURES = _table(
    "cluster_features",
    "How much each feature varies within a kept cluster: what its attacker keeps repeating.",
    _CLUSTER_ID,
    _FEATURE,
    ("categories", _LONG, "Distinct categories in the cluster"),
    ("entropy", _DOUBLE, "Shannon entropy in the cluster, in nats"),
    ("baseline_entropy", _DOUBLE, "The same of the window's successes"),
    ("variability", _DOUBLE, "Entropy over baseline entropy; null if that is 0"),
    ("anomalous_share", _DOUBLE, "Share of members whose category is anomalous"),
    ("top_category", _STRING, "The most common category"),
    ("top_share", _DOUBLE, "Its share of the members"),
)

SUCCESS_HOURS = _table(
    "success_hours",
    "The window's successes by hour of the calendar, for timelines.",
    ("hour", _TIMESTAMP, "Beginning of the hour (UTC)"),
    ("successes", _LONG, "Successes in it"),
)

SUCCESS_WEEKDAYS = _table(
    "success_weekdays",
    "The window's successes by day of the week, with which a campaign's rhythm is compared.",
    ("weekday", _INT, "1 is Monday, 7 is Sunday (ISO 8601)"),
    ("successes", _LONG, "Successes on it"),
)

SUCCESS_HOURS_OF_DAY = _table(
    "success_hours_of_day",
    "The window's successes by hour of the day, with which a campaign's rhythm is compared.",
    ("hour_of_day", _INT, "0 to 23 (UTC)"),
    ("successes", _LONG, "Successes in it"),
)

SUCCESS_LOCATIONS = _table(
    "success_locations",
    "The window's 5,000 most common places of successes, for the maps of pages.",
    ("Location", _STRING, "Country or region"),
    ("state", _STRING, "State"),
    ("city", _STRING, "City"),
    ("latitude", _DOUBLE, "Degrees north, null if unknown"),
    ("longitude", _DOUBLE, "Degrees east, null if unknown"),
    ("successes", _LONG, "Successes there"),
    order=("Location", "state", "city", "latitude", "longitude"),
)

SUCCESS_SAMPLE = _table(
    "success_sample",
    "10,000 of the window's successes, the same ones in every run, as the baseline of plots.",
    _SIGNIN_ID,
    _TIME,
    _USER,
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    order=("signin_id",),
)

_INVARIANT = pa.struct(
    [
        pa.field("feature", _STRING),
        pa.field("value", _STRING),
        pa.field("share", _DOUBLE),
    ]
)
CAMPAIGNS = _table(
    "campaigns",
    "Every campaign that is known on the day, under one id for life (docs/campaigns.md).",
    ("campaign_id", _STRING, "Its id, which is also the incident's"),
    ("state", _STRING, "new, continued, resumed, split, quiet or merged"),
    ("cluster_id", _INT, "Its cluster of this day; null if quiet or merged"),
    ("first_hunted", _DATE, "Day of the first hunt that had it as a candidate"),
    ("last_hunted", _DATE, "Day of the last such hunt; this day unless quiet or merged"),
    ("previous_hunt", _DATE, "Day of the hunt it was matched with; null if new, quiet or merged"),
    ("matched_by", _STRING, "members or fingerprint, by which it was matched; null if it was not"),
    ("first_activity", _TIMESTAMP, "Earliest attempt that any hunt knew (UTC)"),
    ("last_activity", _TIMESTAMP, "Latest attempt (UTC)"),
    ("attempts", _LONG, "Attempts so far, including those that have left the window"),
    ("new_attempts", _LONG, "Attempts on days after previous_hunt"),
    ("users", _LONG, "Accounts tried within the window of its last hunt"),
    ("merged_into", _STRING, "If merged: the campaign that continues"),
    ("split_from", _STRING, "The campaign that it split from, if it did"),
    ("fingerprint", pa.list_(_INVARIANT), "What it keeps repeating and the tenant seldom shows"),
    ("attempts_by_day", pa.map_(_DATE, _LONG), "Attempts by day (UTC), since its first"),
    (
        "sample",
        pa.map_(_LONG, _DATE),
        "The members with the 256 smallest hashes of their ids (the first 60 bits of their MD5), "
        "each with its day",
    ),
)

_ENTRY = pa.struct(
    [
        pa.field("user", _STRING),
        pa.field("probability", _DOUBLE),
        pa.field("first_success", _TIMESTAMP),
        pa.field("exported", _DATE),
        pa.field("successes", _LONG),
        pa.field("evidence", _STRING),
    ]
)

_KNOWN_PASSWORD = pa.struct(
    [
        pa.field("user", _STRING),
        pa.field("probability", _DOUBLE),
        pa.field("first_stopped", _TIMESTAMP),
        pa.field("result_type", _STRING),
        pa.field("stopped_by", _STRING),
        pa.field("signins", _LONG),
        pa.field("evidence", _STRING),
    ]
)

_KNOWN_ADDRESS = pa.struct([pa.field("ip_address", _STRING), pa.field("providers", _STRINGS)])

ENRICHED_INCIDENTS = _table(
    "enriched_incidents",
    "One incident per campaign, with what an analyst needs: severity, accounts in three tiers, "
    "evidence and words.",
    _INCIDENT_ID,
    _CLUSTER_ID,
    ("state", _STRING, "Of the campaign: new, continued, resumed or split"),
    ("first_hunted", _DATE, "Day of the first hunt that found it"),
    (
        "previous_hunt",
        _DATE,
        "Day of the hunt after which attempts are new; null if it is new itself",
    ),
    ("severity", _STRING, "High, Medium, Low or Informational, as Microsoft Sentinel has them"),
    ("confidence", _DOUBLE, "Probability, 0 to 1, that it is a campaign"),
    ("confidence_label", _STRING, "The same in a word: high, medium or low"),
    ("title", _STRING, "One line"),
    ("description", _STRING, "A paragraph for an analyst"),
    ("first_activity", _TIMESTAMP, "Earliest attempt (UTC)"),
    ("last_activity", _TIMESTAMP, "Latest attempt (UTC)"),
    ("active_days", _LONG, "Days (UTC) with an attempt"),
    ("attempts", _LONG, "Sign-ins that failed, were stopped or refused"),
    ("new_attempts", _LONG, "Those on days after the previous hunt"),
    ("users", _LONG, "Accounts tried"),
    ("invented_names", _LONG, "Names tried that have no account: from the attacker's list"),
    ("ip_addresses", _LONG, "Distinct addresses"),
    ("countries", _LONG, "Distinct countries"),
    ("attempts_per_day", _DOUBLE, "Attempts over the days from first to last"),
    ("attempts_per_user", _DOUBLE, "Attempts over accounts and invented names"),
    ("anomalous_features", _STRINGS, "Features in which it is consistently anomalous"),
    ("invariants", pa.list_(_INVARIANT), "What it keeps repeating: a fingerprint"),
    ("tests", pa.list_(_TEST), "Why we think so: each test of a spray, with its value"),
    ("successes", _LONG, "Successes with which it may have compromised an account"),
    ("compromised_users", _STRINGS, "Their accounts, likeliest first, at most 100"),
    (
        "new_compromised_users",
        _STRINGS,
        "Those with a success in exports after the previous hunt",
    ),
    (
        "entries",
        pa.list_(_ENTRY),
        "The same accounts with probability, first success, the day of the export that first had "
        "it, and evidence",
    ),
    (
        "known_passwords",
        pa.list_(_KNOWN_PASSWORD),
        "Further accounts whose right password it may have used and was stopped: with probability, "
        "first time, code, what stopped it, number of sign-ins, and evidence; the earliest first, "
        "at most 100",
    ),
    (
        "new_known_passwords",
        _STRINGS,
        "Those of them that were first stopped on days after the previous hunt",
    ),
    ("techniques", _STRINGS, "MITRE ATT&CK techniques"),
    ("addresses_looked_up", _LONG, "Addresses for which a source of verdicts answered"),
    (
        "malicious_addresses",
        pa.list_(_KNOWN_ADDRESS),
        "Those known as malicious, the most informative first, each with the sources that say so",
    ),
)

INCIDENT_MEMBERS = _table(
    "incident_members",
    "The sign-ins of each incident as evidence: its attempts (failed, stopped, refused), and the "
    "right passwords (success, stopped) that may be its own.",
    _INCIDENT_ID,
    _SIGNIN_ID,
    _USER,
    ("outcome", _STRING, "success, failure, stopped or refused"),
    _RESULT,
    _TIME,
    ("score", _DOUBLE, "Probability that it is the campaign's"),
    ("evidence", _STRING, "Of a right password: why it may be the campaign's; else null"),
    ("exported", _DATE, "Of a right password: the day of the export that holds it; else null"),
    ("mask", _INT, "Its anomaly mask as of this day"),
    *_PLACE_COLUMNS,
    *_FEATURE_COLUMNS,
    order=("incident_id", "outcome", "time_generated", "signin_id"),
)

ADDRESS_REPORTS = _table(
    "address_reports",
    "What other sources say about an incident's most informative addresses, one row per incident, "
    "address and source; empty unless one is switched on (docs/enrichment.md).",
    _INCIDENT_ID,
    _ADDRESS,
    ("rank", _INT, "1 is the most informative address of the incident"),
    ("provider", _STRING, "indicators (a local file), geolocation, whois, or a provider's name"),
    ("verdict", _STRING, "malicious, suspicious, clean (vouched for) or unknown"),
    ("severity", _STRING, "The same in the provider's word; null if it has none"),
    ("details", _STRING, "What it says, cut to 500 characters"),
    ("country", _STRING, "geolocation: country of the address (ISO 3166)"),
    ("city", _STRING, "geolocation: city"),
    ("latitude", _DOUBLE, "geolocation: degrees north"),
    ("longitude", _DOUBLE, "geolocation: degrees east"),
    ("looked_up_at", _TIMESTAMP, "When it was asked (UTC); null if it never was"),
    ("from_cache", _BOOLEAN, "Whether the answer is a cached one"),
    ("error", _STRING, "Why there is no answer; null if there is one"),
)

_TERM = pa.struct(
    [
        pa.field("feature", _STRING),
        pa.field("values", _STRINGS),
        pa.field("negated", _BOOLEAN),
    ]
)

HUNTING_RULES = _table(
    "hunting_rules",
    "Each incident as rules for other tools, one for its attempts and one for successes that look "
    "like them, with what they hit in the window.",
    _INCIDENT_ID,
    ("outcome", _STRING, "failure: a rule for its attempts; success: a rule for entries"),
    ("usable", _BOOLEAN, "Whether there is a rule: it hits at most 1 % of legitimate sign-ins"),
    ("summary", _STRING, "What it finds and what else it hits, or why there is no rule"),
    ("terms", pa.list_(_TERM), "All hold: a feature is (or, negated, is not) one of the values"),
    ("attempts", _LONG, "Attempts of the incident"),
    ("attempts_hit", _LONG, "Those that meet the terms"),
    ("attempts_share", _DOUBLE, "Their share of the attempts"),
    ("entries", _LONG, "Successes of the incident with which it may have compromised an account"),
    ("entries_hit", _LONG, "Those that meet the terms"),
    ("legitimate", _LONG, "Successes of the window that belong to no incident"),
    ("legitimate_hit", _LONG, "Those that meet the terms"),
    ("legitimate_share", _DOUBLE, "Their share of the legitimate ones"),
    ("other_failures", _LONG, "Attempts of the window that belong to no incident"),
    ("other_failures_hit", _LONG, "Those that meet the terms"),
    ("since", _DATE, "First day of the window, with which the query begins"),
    ("kql", _STRING, "A query for Microsoft Sentinel or Log Analytics; null if not usable"),
    ("sigma", _STRING, "The same as a Sigma rule, in YAML; null if not usable"),
)

DELIVERED_INCIDENTS = _table(
    "delivered_incidents",
    "The result of each delivery, one row per incident and sink; empty unless a sink is on.",
    _INCIDENT_ID,
    ("sink", _STRING, "sentinel or log_analytics"),
    ("action", _STRING, "created, updated, commented, unchanged or failed"),
    ("at", _TIMESTAMP, "When (UTC)"),
    ("detail", _STRING, "Why it failed, or other information; null if there is none"),
)

DETECTION_LIMIT = _table(
    "detection_limit",
    "Made on demand: after how many days synthetic sprays of falling rate would be found in the "
    "window.",
    ("kind", _STRING, "The kind of spray"),
    ("attempts_per_day", _LONG, "Its rate, at random times from the window's first day"),
    ("found_after_days", _LONG, "Days (in steps of 5) after which a hunt finds it; null if never"),
    (
        "known_passwords",
        _DOUBLE,
        "At the lowest rate that is found: the share of its stopped right passwords that are named",
    ),
)

TABLES = tuple(value for value in list(globals().values()) if isinstance(value, Table))


def to_markdown() -> str:
    """All tables as the page ``docs/tables.md``."""
    parts = [
        "# Tables of the lake",
        "One folder per table, and below it one folder per day: "
        "`<lake>/<table>/date=YYYY-MM-DD/*.parquet`. Beside the data, `_provenance.json` says "
        "what a partition was made from and names its files. Times are UTC.",
        "This page is made from the schemas in the code: "
        "`python -m lowslow_assets.lake.tables > docs/tables.md`.",
    ]
    for table in TABLES:
        rows = [f"| `{name}` | {kind} | {comment} |" for name, kind, comment in table.columns]
        header = ["| column | type | what it is |", "| --- | --- | --- |"]
        parts += [f"## {table.name}", table.description, "\n".join(header + rows)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(to_markdown(), end="")
