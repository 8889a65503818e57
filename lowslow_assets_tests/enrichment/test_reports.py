"""The sum of an incident's rows about addresses."""

from dataclasses import asdict

from lowslow_assets.enrichment.answers import CLEAN, MALICIOUS, SUSPICIOUS, UNKNOWN, Answer
from lowslow_assets.enrichment.reports import (
    GEOLOCATION,
    INDICATORS,
    WHOIS,
    AddressReport,
    Known,
    KnownAddress,
    known_by_incident,
)
from lowslow_assets.lake.tables import ADDRESS_REPORTS


def test_addresses_are_counted_once_and_only_where_someone_answered():
    said = [
        ("one", "192.0.2.2", 2, INDICATORS, Answer(MALICIOUS)),
        ("one", "192.0.2.1", 1, "OTX", Answer(MALICIOUS)),
        ("one", "192.0.2.1", 1, "GreyNoise", Answer(CLEAN)),
        ("one", "192.0.2.1", 1, INDICATORS, Answer(MALICIOUS)),
        ("one", "192.0.2.3", 3, INDICATORS, Answer(UNKNOWN)),
        ("one", "192.0.2.4", 4, "OTX", Answer(error="status 429")),
        ("one", "192.0.2.5", 5, GEOLOCATION, Answer(country="FR")),
        ("one", "192.0.2.5", 5, WHOIS, Answer(details="AS64500")),
        ("two", "192.0.2.1", 1, "OTX", Answer(SUSPICIOUS)),
        ("three", "192.0.2.1", 1, WHOIS, Answer()),
    ]
    rows = [
        asdict(AddressReport(incident, address, rank, provider, **vars(answer)))
        for incident, address, rank, provider, answer in said
    ]
    expected = {
        "one": Known(
            3,
            [
                KnownAddress("192.0.2.1", ["OTX", INDICATORS]),
                KnownAddress("192.0.2.2", [INDICATORS]),
            ],
        ),
        "two": Known(1, []),
    }
    assert known_by_incident(rows) == expected
    assert known_by_incident(reversed(rows)) == expected


def test_every_field_of_an_answer_is_a_column():
    row = AddressReport("one", "192.0.2.1", 7, "OTX", **vars(Answer()))
    assert list(asdict(row)) == ADDRESS_REPORTS.schema.names
