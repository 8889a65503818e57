"""address_reports: what others know about the addresses of the day's incidents."""

from collections import Counter
from typing import Any

import dagster as dg

from lowslow_assets.enrichment.addresses import informative_addresses
from lowslow_assets.enrichment.answers import VERDICTS, Address, Answer, parse_address
from lowslow_assets.enrichment.indicators import match_indicators
from lowslow_assets.enrichment.places import locate
from lowslow_assets.enrichment.providers import ask_all, open_providers
from lowslow_assets.enrichment.reports import (
    GEOLOCATION,
    INDICATORS,
    WHOIS,
    AddressReport,
)
from lowslow_assets.enrichment.whois import whois
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.stores.base import user_cache
from lowslow_assets.lake.tables import ADDRESS_REPORTS, INCIDENT_MEMBERS
from lowslow_assets.orchestration.assets.declare import (
    declaration,
    permanent_failures,
    table_metadata,
)
from lowslow_assets.orchestration.assets.ranges import in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import EnrichmentResource, HuntParameters, LakeResource

_ANSWERS = "address_answers"


@dg.asset(
    name=ADDRESS_REPORTS.name,
    group_name="hunt",
    deps=[INCIDENT_MEMBERS.name],
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
    **declaration(ADDRESS_REPORTS),
)
def address_reports(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    parameters: HuntParameters,
    enrichment: EnrichmentResource,
) -> None:
    """Look up the most informative addresses of each incident, where a source is switched on."""
    with permanent_failures(), in_parts(context, 1) as parts:
        for (day,) in parts:
            hunt = Hunt(day, lake.open(), parameters.settings)
            rows, metadata = _look_up(hunt, enrichment) if enrichment.is_on else ([], _OFF)
            written = hunt.write(ADDRESS_REPORTS, rows)
            context.add_asset_metadata(
                {"dagster/partition_row_count": written, **metadata}, partition_key=day.isoformat()
            )


_OFF = {
    "enrichment": "off: none of LOWSLOW_INDICATORS, LOWSLOW_TI_PROVIDERS, LOWSLOW_GEO_DATABASE "
    "and LOWSLOW_WHOIS is set. Nothing was looked up."
}


def _look_up(
    hunt: Hunt, enrichment: EnrichmentResource
) -> tuple[list[AddressReport], dict[str, Any]]:
    """Every source's answers, one row per incident, address and source."""
    most = enrichment.addresses_per_campaign
    ranked = informative_addresses(hunt.result(INCIDENT_MEMBERS), most).rows()
    parsed = [(row, parse_address(row["ip_address"])) for row in ranked]
    rows = [(row, address) for row, address in parsed if address]
    answers, metadata = _ask_sources(hunt, enrichment, rows)
    reports = [
        AddressReport(
            row["incident_id"], row["ip_address"], row["rank"], source, **vars(found[address])
        )
        for row, address in rows
        for source, found in answers.items()
        if address in found
    ]
    return reports, metadata


def _ask_sources(
    hunt: Hunt, enrichment: EnrichmentResource, rows: list[tuple[dict[str, Any], Address]]
) -> tuple[dict[str, dict[Address, Answer]], dict[str, Any]]:
    """What each source that is on says about each address, the most informative address first."""
    addresses = list(dict.fromkeys(address for _, address in rows))
    answers: dict[str, dict[Address, Answer]] = {}
    metadata: dict[str, Any] = {"addresses": len(addresses)}
    if enrichment.indicators:
        matches = match_indicators(enrichment.indicators, addresses, hunt.day)
        answers[INDICATORS] = matches.answers
        metadata |= {
            "indicators": matches.indicators,
            "indicators expired": matches.expired,
            "indicators of no address": matches.others,
            "indicators rejected": matches.rejected,
        }
        if matches.examples:
            metadata["rejected"] = table_metadata([{"where": text} for text in matches.examples])
    if enrichment.ti_providers:
        kept = user_cache(_ANSWERS)
        providers = open_providers(enrichment.ti_providers, kept, enrichment.keep_answers)
        answers |= ask_all(providers, addresses)
    if enrichment.geo_database:
        unplaced = dict.fromkeys(address for row, address in rows if not row["located"])
        answers[GEOLOCATION] = locate(enrichment.geo_database, unplaced)
    if enrichment.whois:
        first = dict.fromkeys(address for row, address in rows if row["rank"] <= enrichment.whois)
        answers[WHOIS] = whois(list(first))
    if addresses:
        metadata["providers"] = table_metadata([_summary(*source) for source in answers.items()])
    return answers, metadata


def _summary(source: str, found: dict[Address, Answer]) -> dict[str, Any]:
    """One line of the UI's table."""
    verdicts = Counter(answer.verdict for answer in found.values())
    errors = Counter(answer.error for answer in found.values() if answer.error)
    return {
        "provider": source,
        "addresses": len(found),
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "from cache": sum(answer.from_cache for answer in found.values()),
        "failed": errors.total(),
        "most common error": max(errors, key=lambda e: errors[e], default=None),
    }
