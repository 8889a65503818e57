"""Failures that something harmless or something loud explains.

The same is asked of sign-ins that were stopped although the password was right, and of those that
were refused before the password counted, because all three are attempts of a campaign. Most of the
honest stopped ones are prompts that are answered at once.

The failures that remain are suspects. A suspect is a single failure from a source that is new to
the user; nobody repeats it, and no success follows it. The suspects contain nearly all of a
low-and-slow spray, and hardly anything else. The rules describe what people, devices and loud
attacks do and what such a spray cannot afford to do. No rule describes what a spray looks like.

Most failures are explained by other sign-ins of the same day. These explanations are made once,
when the day is ingested. A hunt compares only the failures that remain open with the window, and
reads the others only as sums.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowslow_assets.detection.user_prefixes import user_prefixes
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    NODATA,
    OPEN_FAILURES,
    SUCCESS_SOURCES,
)
from lowslow_assets.signins.outcomes import INVENTED_NAMES

EXPLANATIONS = {
    "resolved": "the same user succeeded from the same network within half an hour: a typo",
    "interrupted": "the same user succeeded from the same network within half an hour: a second "
    "factor given, a lock opened",
    "no source": "the log does not say from which address: nothing to judge by",
    "busy account": "the account failed, or was stopped, more than 5 times that day with one "
    "client, or more than 15 times with several: many that day, by a device or service with an old "
    "password, or by somebody who forgot it or is kept out",
    "office": "at least as many accounts succeed from the source as fail there and never succeed: "
    "people who mistype where they are at home",
    "burst": "many failures an hour came from the source, all within two days: loud, not slow",
    "service": "the same accounts fail from the source again and again: a connector or a device "
    "with old passwords",
    "few accounts": "the same few accounts fail from the source, each more than twice: one person, "
    "a home, a small service",
    "own network": "the user succeeds from the network, and people from the prefix, which is no "
    "source of failures of many others: mistyped and given up",
    "own device": "the user succeeds from the same place with the same operating system: mistyped, "
    "forgotten or locked, and given up",
    "own place": "stopped at a place that the user succeeds from: a second factor not given",
    "kept out": "at least half of the accounts that are tried from the prefix had the right "
    "password: people whom a policy or a prompt keeps out",
    "misspelt": "there is no such account, and at least as many people succeed from the prefix as "
    "such names are tried from it: a name misspelt",
    "crowded hour": "far more unexplained failures in that hour, or within half a day of it, than "
    "usual: a burst",
}
"""Why a failure is not a suspect. The explanation by its own day comes first."""
KNOWN = "known: "
"""The beginning of the explanation by a known source; the organisation's reason follows."""

DAY_RULES_VERSION = 3
"""Raised when a change of ``explain_by_day`` changes ``open_failures`` or ``failure_sources``."""

RESOLVED_SECONDS = 30 * 60
# With one client, and with several clients.
MAX_FAILURES_A_DAY, MAX_FURTHER_FAILURES_A_DAY = 5, 15
# It is no accident if more failures come from one source. A prefix is seen again by chance, and the
# longer the window is, the more often.
MAX_FAILURES_AN_ADDRESS = 3
MAX_FAILURES_A_PREFIX, DAYS_A_PREFIX_FAILURE = 10, 6
BURST_FAILURES, BURST_DAYS = 10, 2
# A slow spray may use another source every day, but makes only a few attempts an hour from it.
BURST_AN_HOUR = 6
# A spray seldom tries an account. A service tries it often.
SERVICE_TRIES, SERVICE_DAYS_A_TRY = 5, 8
SERVICE_TRIES_A_DAY = 2
SERVICE_RETURNS = 5
# The times between the tries of a clock vary by less than a third of their mean. For those of a
# gamma distribution, the logarithm of the mean exceeds the mean of the logarithms by half of the
# square of that. A day without failures adds less to this than to the variance.
SERVICE_VARIES = 0.05
FEW_ACCOUNTS, FEW_ACCOUNTS_TRIES = 9, 2
# A service has the names of accounts, some of which were deleted. A spray guesses names.
GUESSED_NAMES, ACCOUNTS_A_GUESS = 3, 5
# A home has fewer.
ACCOUNTS_OF_SPRAY = 5
# A spray hardly ever guesses right.
KEPT_OUT_ACCOUNTS = 3
CROWD, CROWD_FACTOR = 25, 8
# A campaign has at least so many days that are as busy as any of its days, within a factor.
CAMPAIGN_DAYS, CROWD_DAY_FACTOR = 3, 4

_EXPLAINED_BY_DAY = extended(ENCODED_FEATURES.dated, "explanation string")
_EXPLAINED = extended(OPEN_FAILURES.dated, "explanation string")
_COLUMNS = Columns(OPEN_FAILURES.dated)
_OF_FAILURES = Columns(OPEN_FAILURES.dated, "failures")


@transform(_EXPLAINED_BY_DAY, failures=ENCODED_FEATURES.dated)
def explain_by_day(failures: Relation) -> Relation:
    """Add ``explanation`` to attempts among ``encoded_features``; null if their day has none."""
    return sql(
        """
        WITH _prompts AS (
            SELECT
                *,
                -- There are many prompts, and they are not failures.
                CASE WHEN outcome = 'stopped' THEN 1 ELSE 0 END AS is_prompt
            FROM {failures}
        ),
        _clients AS (
            SELECT
                *,
                count(*) OVER (
                    PARTITION BY
                        date,
                        "user",
                        is_prompt,
                        AppDisplayName,
                        ClientAppUsed,
                        operatingSystem
                ) AS of_client
            FROM _prompts
        ),
        _counted AS (
            SELECT
                *,
                -- A device that fails all day does not hide another client's attempts.
                count(CASE WHEN of_client <= {busy} THEN 1 END)
                    OVER (PARTITION BY date, "user", is_prompt) AS of_others
            FROM _clients
        )
        SELECT
            {columns},
            CASE
                WHEN seconds_to_success <= {resolved} AND outcome = 'failure' THEN 'resolved'
                WHEN seconds_to_success <= {resolved} THEN 'interrupted'
                WHEN ip_prefix IS NULL THEN 'no source'
                WHEN of_client > {busy} OR of_others > {further} THEN 'busy account'
            END AS explanation
        FROM _counted
        """,
        failures=failures,
        columns=Columns(ENCODED_FEATURES.dated),
        resolved=RESOLVED_SECONDS,
        busy=MAX_FAILURES_A_DAY,
        further=MAX_FURTHER_FAILURES_A_DAY,
    )


@transform(
    FAILURE_SOURCES.dated,
    explained=schema(
        "date date, user string, result_type string, ip_prefix string, ip_address string, "
        "explanation string, time_generated timestamp"
    ),
)
def sum_failures(explained: Relation) -> Relation:
    """Per day and explanation, from where each user failed: rows of ``failure_sources``."""
    return sql(
        """
        SELECT
            "user",
            ip_prefix,
            ip_address,
            explanation,
            count(*) AS failures,
            count(*) FILTER (WHERE result_type IN {invented}) AS invented,
            date_trunc('second', min(time_generated)) AS first_failure,
            CAST(epoch_seconds(max(time_generated)) - epoch_seconds(min(time_generated)) AS INT)
                AS seconds,
            date
        FROM {explained}
        GROUP BY date, "user", ip_prefix, ip_address, explanation
        """,
        explained=explained,
        invented=INVENTED_NAMES,
    )


def explain_by_window(
    failures: Relation,
    failure_sources: Relation,
    success_sources: Relation,
    window_days: int,
) -> Relation:
    """Add ``explanation`` to a window's ``open_failures``; null for suspects.

    The sources are the tables of these names, for the same window. A row that several days hold
    counts once: its copies on later days are left out, unless something explains all of them.
    """
    # Each step leaves a few per cent of the failures to the next step.
    verdicts = explain_sources(
        failure_sources,
        success_sources,
        max(MAX_FAILURES_A_PREFIX, window_days // DAYS_A_PREFIX_FAILURE),
    ).held()
    by_failures = explain_by_failures(failures, verdicts).held()
    by_successes = explain_by_successes(
        left_open(by_failures).held(), success_sources, verdicts
    ).held()
    # At most one row per hour of the window.
    hours = {row["hour"]: row["suspects"] for row in hours_of_suspects(by_successes).rows()}
    return explain_crowds(by_failures, by_successes, crowded_hours(hours, window_days))


def crowded_hours(suspects: Mapping[int, int], window_days: int) -> list[int]:
    """The hours of bursts; ``suspects`` has the number of suspects per hour, counted from 1970.

    Such an hour has far more suspects than the average hour. Or the 24 hours around it have far
    more than the third-busiest day (CAMPAIGN_DAYS): a low-and-slow campaign has at least so many
    busy days, even if it acts on Sundays only, and a burst has fewer.
    """
    by_day = Counter[int]()
    for hour, number in suspects.items():
        by_day[hour // 24] += number
    busiest = [number for _, number in by_day.most_common(CAMPAIGN_DAYS)]
    most_in_an_hour = CROWD + CROWD_FACTOR * sum(suspects.values()) / (24 * window_days)
    of_campaign = busiest[-1] if len(busiest) == CAMPAIGN_DAYS else 0
    most_in_a_day = CROWD + CROWD_DAY_FACTOR * of_campaign
    return [
        hour
        for hour, number in suspects.items()
        if number > most_in_an_hour
        or sum(suspects.get(near, 0) for near in range(hour - 12, hour + 12)) > most_in_a_day
    ]


def explain_failures(failures: Relation, success_sources: Relation, window_days: int) -> Relation:
    """By the day and by the window at once: explanations of the failures in ``encoded_features``.

    Rows are (date, signin_id, explanation).
    """
    by_day = explain_by_day(failures).held()
    still_open = unexplained_failures(by_day)
    by_window = explain_by_window(still_open, sum_failures(by_day), success_sources, window_days)
    return sql(
        """
        SELECT date, signin_id, explanation FROM {by_day} WHERE explanation IS NOT NULL
        UNION ALL
        SELECT date, signin_id, explanation FROM {by_window}
        """,
        by_day=by_day,
        by_window=by_window,
    )


_SOURCE_VERDICTS = schema(
    "ip_prefix string, ip_address string, failures bigint, accounts bigint, explanation string"
)


@transform(_SOURCE_VERDICTS, sources=FAILURE_SOURCES.dated, successes=SUCCESS_SOURCES.dated)
def explain_sources(sources: Relation, successes: Relation, most_of_prefix: int) -> Relation:
    """What explains the many failures from an address or a prefix, by the accounts that fail.

    The row of a prefix has no address. Sources with few failures are left out. If nothing explains
    a source, many accounts fail from it for days, each seldom, and hardly anybody succeeds from it:
    the servers of a spray look like this. A service tries the same accounts often, or tries all of
    them in turn, like a clock, in less than SERVICE_DAYS_A_TRY days, and hardly any of its accounts
    is invented. If it has many accounts, it tries each several times a day. A spray in rounds of a
    random order is no service: the times between two tries of an account vary by .41 of their mean,
    and the two logarithms differ by .11.
    """
    return sql(
        """
        WITH _friends_of_prefix AS (
            SELECT ip_prefix, count(*) AS friends FROM {friends} GROUP BY ip_prefix
        ),
        _failures AS (
            SELECT
                sources.ip_prefix,
                sources.ip_address,
                sources."user",
                sources.failures,
                sources.date,
                epoch_seconds(sources.first_failure) AS begins,
                epoch_seconds(sources.first_failure) + sources.seconds AS ends,
                CAST(floor((
                    epoch_seconds(sources.first_failure)
                    - lag(epoch_seconds(sources.first_failure)) OVER (
                        PARTITION BY sources.ip_prefix, sources.ip_address, sources."user"
                        ORDER BY epoch_seconds(sources.first_failure)
                    )
                ) / 3600) AS BIGINT) AS hours_apart,
                CASE WHEN _friends."user" IS NULL THEN sources."user" END AS stranger,
                CASE WHEN sources.invented > 0 THEN sources."user" END AS guess
            FROM {sources} AS sources
            LEFT JOIN {friends} AS _friends
                ON _friends.ip_prefix = sources.ip_prefix AND _friends."user" = sources."user"
            WHERE sources.ip_prefix IS NOT NULL
                -- An answered prompt says nothing about its source.
                AND coalesce(sources.explanation, '') <> 'interrupted'
        ),
        _summed AS (
            SELECT
                ip_prefix,
                ip_address,
                grouping(ip_address) AS is_prefix,
                CAST(sum(failures) AS BIGINT) AS failures,
                count(DISTINCT "user") AS accounts,
                count(DISTINCT stranger) AS strangers,
                count(DISTINCT guess) < {guesses}
                    OR count(DISTINCT guess) * {accounts_a_guess} < count(DISTINCT "user")
                    AS knows_names,
                count(DISTINCT date) AS days,
                max(ends) - min(begins) AS seconds,
                count(*) AS account_days,
                count(hours_apart) AS returns,
                CAST(sum(hours_apart) AS DOUBLE) AS hours,
                -- Whole numbers, because sums of others depend on their order.
                sum(CASE
                    WHEN hours_apart >= 0
                    THEN CAST(floor(1000000 * ln(greatest(hours_apart, 1))) AS BIGINT)
                END) / 1e6 AS logarithms,
                epoch_day(max(date)) - epoch_day(min(date)) + 1 AS span
            FROM _failures
            GROUP BY ROLLUP (ip_prefix, ip_address)
        )
        SELECT
            _summed.ip_prefix,
            _summed.ip_address,
            _summed.failures,
            _summed.accounts,
            CASE
                WHEN coalesce(_friends_of_prefix.friends, 0) >= _summed.strangers THEN 'office'
                WHEN _summed.failures >= {burst}
                    -- Two days may touch three dates.
                    AND (_summed.days <= {burst_days} OR _summed.seconds <= {burst_days} * 86400)
                    AND _summed.failures * 3600 >= {burst_an_hour} * (_summed.seconds + 3600)
                    THEN 'burst'
                WHEN _summed.knows_names
                    AND _summed.failures > {service} * _summed.accounts
                    AND _summed.failures * {service_days} > _summed.accounts * _summed.span
                    -- A spray from one server tries many accounts once a day, at any time. A
                    -- service that tries each more often may have some more.
                    AND (
                        _summed.accounts * _summed.account_days <= {few} * _summed.failures
                        OR _summed.failures > {service_tries_a_day} * _summed.account_days
                    )
                    THEN 'service'
                -- In turn, as regular as a clock.
                WHEN _summed.knows_names
                    AND _summed.returns >= {returns}
                    AND _summed.returns * 2 >= _summed.accounts
                    AND _summed.hours <= _summed.returns * {service_days} * 24
                    AND ln(greatest(_summed.hours / _summed.returns, 1))
                        <= _summed.logarithms / _summed.returns + {varies}
                    THEN 'service'
                WHEN _summed.failures > {few_tries} * _summed.accounts
                    AND _summed.accounts <= {few} THEN 'few accounts'
            END AS explanation
        FROM _summed
        LEFT JOIN _friends_of_prefix ON _friends_of_prefix.ip_prefix = _summed.ip_prefix
        WHERE _summed.ip_prefix IS NOT NULL
            AND _summed.failures
                > CASE WHEN is_prefix = 1 THEN {most_of_prefix} ELSE {most_of_address} END
        """,
        sources=sources,
        friends=user_prefixes(successes),
        burst=BURST_FAILURES,
        burst_days=BURST_DAYS,
        burst_an_hour=BURST_AN_HOUR,
        service=SERVICE_TRIES,
        service_days=SERVICE_DAYS_A_TRY,
        service_tries_a_day=SERVICE_TRIES_A_DAY,
        guesses=GUESSED_NAMES,
        accounts_a_guess=ACCOUNTS_A_GUESS,
        returns=SERVICE_RETURNS,
        varies=SERVICE_VARIES,
        few=FEW_ACCOUNTS,
        few_tries=FEW_ACCOUNTS_TRIES,
        most_of_address=MAX_FAILURES_AN_ADDRESS,
        most_of_prefix=most_of_prefix,
    )


@transform(_EXPLAINED, failures=OPEN_FAILURES.dated, verdicts=_SOURCE_VERDICTS)
def explain_by_failures(failures: Relation, verdicts: Relation) -> Relation:
    """Add ``explanation`` to open failures that other failures of the window explain.

    ``verdicts`` are the explanations of the sources. That of an address counts before that of its
    prefix.
    """
    return sql(
        """
        SELECT
            {of_failures},
            CASE
                WHEN _of_address.failures IS NOT NULL THEN _of_address.explanation
                ELSE _of_prefix.explanation
            END AS explanation
        FROM {failures} AS failures
        LEFT JOIN {verdicts} AS _of_address
            ON _of_address.ip_prefix = failures.ip_prefix
            AND _of_address.ip_address = failures.ip_address
        LEFT JOIN {verdicts} AS _of_prefix
            ON _of_prefix.ip_prefix = failures.ip_prefix
            AND _of_prefix.ip_address IS NULL
        """,
        of_failures=_OF_FAILURES,
        failures=failures,
        verdicts=verdicts,
    )


@transform(OPEN_FAILURES.dated, explained=_EXPLAINED)
def left_open(explained: Relation) -> Relation:
    """The failures that nothing explains yet, each once: a later day's copy does not count."""
    return sql(
        """
        SELECT {columns}
        FROM {explained}
        WHERE explanation IS NULL
        QUALIFY row_number() OVER (PARTITION BY signin_id ORDER BY date) = 1
        """,
        columns=_COLUMNS,
        explained=explained,
    )


@transform(
    _EXPLAINED,
    failures=OPEN_FAILURES.dated,
    sources=SUCCESS_SOURCES.dated,
    verdicts=_SOURCE_VERDICTS,
)
def explain_by_successes(failures: Relation, sources: Relation, verdicts: Relation) -> Relation:
    """Add ``explanation`` to failures that successes of the window explain.

    That the account's owner lives in the city, with the same operating system, or uses the same
    network, explains no failure from a source of many accounts that ``verdicts`` do not explain: a
    spray's server may be there.
    """
    return sql(
        """
        WITH _of_user AS (
            SELECT
                failures.date,
                failures.signin_id,
                -- seconds_to_success covers the same day; the next day's successes cover the time
                -- after midnight.
                bool_or(
                    epoch_seconds(sources.first_success) - epoch_seconds(failures.time_generated)
                    BETWEEN 0 AND {resolved}
                ) AS resolved
            FROM {failures} AS failures
            JOIN {sources} AS sources
                ON sources."user" = failures."user" AND sources.network = failures.network
            GROUP BY failures.date, failures.signin_id
        ),
        _known AS (
            SELECT DISTINCT "user", operatingSystem, Location, state, city
            FROM {sources}
            WHERE city <> {nodata} AND operatingSystem <> {nodata}
        ),
        _at_place AS (
            SELECT DISTINCT failures.date, failures.signin_id
            FROM {failures} AS failures
            JOIN {sources} AS sources
                ON sources."user" = failures."user"
                AND sources.Location = failures.Location
                AND sources.state = failures.state
                AND sources.city = failures.city
            WHERE failures.outcome = 'stopped' AND failures.city <> {nodata}
        ),
        _kept_out AS (
            SELECT ip_prefix
            FROM {failures}
            WHERE ip_prefix IS NOT NULL
            GROUP BY ip_prefix
            HAVING count(DISTINCT CASE WHEN outcome = 'stopped' THEN "user" END) >= {kept_out}
                AND 2 * count(DISTINCT CASE WHEN outcome = 'stopped' THEN "user" END)
                    >= count(DISTINCT "user")
        ),
        _of_anyone AS (
            SELECT ip_prefix, count(*) AS friends FROM {prefixes} GROUP BY ip_prefix
        ),
        _of_spray AS (
            SELECT DISTINCT ip_prefix
            FROM {verdicts}
            WHERE explanation IS NULL AND accounts >= {many}
        ),
        _guesses AS (
            SELECT ip_prefix, count(DISTINCT "user") AS names
            FROM {failures}
            WHERE result_type IN {invented}
            GROUP BY ip_prefix
        )
        SELECT
            {of_failures},
            CASE
                WHEN _of_user.resolved AND failures.outcome = 'failure' THEN 'resolved'
                WHEN _of_user.resolved THEN 'interrupted'
                WHEN _of_user.signin_id IS NOT NULL
                    AND (
                        _of_anyone.ip_prefix IS NOT NULL AND _of_spray.ip_prefix IS NULL
                        OR failures.outcome = 'stopped'
                    )
                    THEN 'own network'
                WHEN _at_place.signin_id IS NOT NULL AND _of_spray.ip_prefix IS NULL
                    THEN 'own place'
                WHEN _known."user" IS NOT NULL AND _of_spray.ip_prefix IS NULL THEN 'own device'
                WHEN _kept_out.ip_prefix IS NOT NULL THEN 'kept out'
                -- A few people do not misspell many names.
                WHEN _of_anyone.friends >= _guesses.names AND failures.result_type IN {invented}
                    THEN 'misspelt'
            END AS explanation
        FROM {failures} AS failures
        LEFT JOIN _of_user
            ON _of_user.date = failures.date AND _of_user.signin_id = failures.signin_id
        LEFT JOIN _at_place
            ON _at_place.date = failures.date AND _at_place.signin_id = failures.signin_id
        LEFT JOIN _kept_out ON _kept_out.ip_prefix = failures.ip_prefix
        LEFT JOIN _of_anyone ON _of_anyone.ip_prefix = failures.ip_prefix
        LEFT JOIN _of_spray
            ON _of_spray.ip_prefix = failures.ip_prefix
        LEFT JOIN _guesses ON _guesses.ip_prefix = failures.ip_prefix
        LEFT JOIN _known
            ON _known."user" = failures."user"
            AND _known.operatingSystem = failures.operatingSystem
            AND _known.Location = failures.Location
            AND _known.state = failures.state
            AND _known.city = failures.city
        """,
        of_failures=_OF_FAILURES,
        failures=failures,
        sources=sources,
        verdicts=verdicts,
        prefixes=user_prefixes(sources),
        many=ACCOUNTS_OF_SPRAY,
        resolved=RESOLVED_SECONDS,
        nodata=NODATA,
        kept_out=KEPT_OUT_ACCOUNTS,
        invented=INVENTED_NAMES,
    )


@transform(OPEN_FAILURES.dated, explained=_EXPLAINED)
def unexplained_failures(explained: Relation) -> Relation:
    """The failures that nothing explains: the suspects."""
    return sql(
        "SELECT {columns} FROM {explained} WHERE explanation IS NULL",
        columns=_COLUMNS,
        explained=explained,
    )


@transform(FAILURE_SOURCES.schema, sources=FAILURE_SOURCES.dated, explained=_EXPLAINED)
def explained_sources(sources: Relation, explained: Relation) -> Relation:
    """Sums of a window's explained failures, whether their day or the window explains them."""
    return sql(
        """
        SELECT {columns} FROM {sources} WHERE explanation IS NOT NULL
        UNION ALL
        SELECT {columns} FROM {summed} WHERE explanation IS NOT NULL
        """,
        columns=Columns(FAILURE_SOURCES.schema),
        sources=sources,
        summed=sum_failures(explained),
    )


@transform(schema("hour bigint, suspects bigint"), explained=_EXPLAINED)
def hours_of_suspects(explained: Relation) -> Relation:
    """How many failures without an explanation each hour has; hours are counted from 1970."""
    return sql(
        """
        SELECT
            CAST(floor(epoch_seconds(time_generated) / 3600) AS BIGINT) AS hour,
            count(*) AS suspects
        FROM {explained}
        WHERE explanation IS NULL
        GROUP BY CAST(floor(epoch_seconds(time_generated) / 3600) AS BIGINT)
        """,
        explained=explained,
    )


@transform(_EXPLAINED, by_failures=_EXPLAINED, by_successes=_EXPLAINED)
def explain_crowds(by_failures: Relation, by_successes: Relation, crowded: list[int]) -> Relation:
    """All failures with their explanation; the last explanation is a crowded hour."""
    return sql(
        """
        SELECT {columns}, explanation
        FROM {by_failures}
        WHERE explanation IS NOT NULL
        UNION ALL
        SELECT
            {columns},
            CASE
                WHEN explanation IS NOT NULL THEN explanation
                WHEN CAST(floor(epoch_seconds(time_generated) / 3600) AS BIGINT) IN {crowded}
                    THEN 'crowded hour'
            END AS explanation
        FROM {by_successes}
        """,
        columns=_COLUMNS,
        by_failures=by_failures,
        by_successes=by_successes,
        crowded=crowded,
    )


@dataclass(frozen=True)
class ExplainedGroup:
    """Failures with one explanation; the fields are the columns of ``explained_failures``.

    The accounts and addresses that fail most have their own groups (``example``).
    """

    explanation: str
    failures: int
    users: int
    addresses: int
    source_days: int
    example: str | None
    minutes_apart: float | None
    reason: str


MAX_EXAMPLES = 10
_OF_SOURCE = ("office", "burst", "service", "few accounts")

_GROUPS = schema(
    "explanation string, example string, failures bigint, users bigint, addresses bigint, "
    "source_days bigint, seconds bigint, is_group boolean"
)


def describe_groups(failures: Relation) -> list[ExplainedGroup]:
    """Each explanation with its number of failures, and its largest groups.

    ``failures`` have the columns of ``failure_sources``. At most MAX_EXAMPLES groups per
    explanation leave the engine.
    """
    found: dict[str, list[ExplainedGroup]] = {}
    for row in largest_groups(failures).rows():
        describe = _example if row["is_group"] else _total
        found.setdefault(row["explanation"], []).append(describe(row))
    names = [*sorted(found.keys() - EXPLANATIONS.keys()), *EXPLANATIONS]
    return [group for name in names for group in found.get(name, [])]


@transform(_GROUPS, failures=FAILURE_SOURCES.schema)
def largest_groups(failures: Relation) -> Relation:
    """Each explanation as a whole, and its largest groups, in order."""
    return sql(
        """
        WITH _examples AS (
            SELECT
                *,
                epoch_seconds(first_failure) AS began,
                CASE
                    WHEN explanation IN ('busy account', 'own device') THEN "user"
                    WHEN explanation IN {of_prefix} THEN ip_prefix
                    WHEN explanation = 'crowded hour'
                        THEN substr(CAST(first_failure AS STRING), 1, 13)
                    WHEN substr(explanation, 1, {known_length}) = {known} THEN ip_address
                END AS example
            FROM {failures}
            WHERE explanation IS NOT NULL
        ),
        _groups AS (
            SELECT
                explanation,
                example,
                CAST(sum(failures) AS BIGINT) AS failures,
                count(DISTINCT "user") AS users,
                count(DISTINCT ip_address) AS addresses,
                -- The sums have one row per account, address and day.
                count(*) AS source_days,
                max(began + seconds) - min(began) AS seconds,
                grouping(example) = 0 AS is_group
            FROM _examples
            GROUP BY ROLLUP (explanation, example)
        )
        SELECT explanation, example, failures, users, addresses, source_days, seconds, is_group
        FROM _groups
        -- Without the sum of all, and without the groups that no example stands for.
        WHERE explanation IS NOT NULL AND (NOT is_group OR example IS NOT NULL)
        QUALIFY row_number() OVER (
            PARTITION BY explanation, is_group ORDER BY failures DESC, example NULLS FIRST
        ) <= {most}
        ORDER BY explanation, is_group, failures DESC, example NULLS FIRST
        """,
        failures=failures,
        of_prefix=[*_OF_SOURCE, "kept out"],
        known=KNOWN,
        known_length=len(KNOWN),
        most=MAX_EXAMPLES,
    )


def _total(row: dict[str, Any]) -> ExplainedGroup:
    return ExplainedGroup(
        row["explanation"],
        row["failures"],
        row["users"],
        row["addresses"],
        row["source_days"],
        example=None,
        minutes_apart=None,
        reason=_meaning(row["explanation"]),
    )


def _meaning(explanation: str) -> str:
    if explanation.startswith(KNOWN):
        return f"the organisation knows it: {explanation.removeprefix(KNOWN)}"
    return EXPLANATIONS[explanation]


def _example(row: dict[str, Any]) -> ExplainedGroup:
    apart = row["seconds"] / 60 / max(row["failures"] - 1, 1)
    who = "one account" if row["users"] == 1 else f"{row['users']:,} accounts"
    where = "one address" if row["addresses"] == 1 else f"{row['addresses']:,} addresses"
    # A source is explained by all of its failures, also by those that their own days explain.
    once = (
        "one failure that its day does not explain" if row["explanation"] in _OF_SOURCE else "once"
    )
    pace = f"every {_duration(apart)}" if row["failures"] > 1 else once
    whole = _meaning(row["explanation"])
    meaning = whole if row["explanation"].startswith(KNOWN) else whole.rpartition(": ")[2]
    return ExplainedGroup(
        row["explanation"],
        row["failures"],
        row["users"],
        row["addresses"],
        row["source_days"],
        example=row["example"],
        minutes_apart=apart,
        reason=f"{who}, {where}, {pace}: {meaning}",
    )


def _duration(minutes: float) -> str:
    for size, unit in ((1_440, "days"), (60, "hours"), (1, "minutes")):
        if minutes >= 2 * size:
            return f"{minutes / size:.0f} {unit}"
    return f"{60 * minutes:.0f} seconds"
