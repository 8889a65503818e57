"""Which addresses of an incident come first."""

from datetime import UTC, datetime

from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.enrichment.addresses import informative_addresses
from lowslow_assets.lake.tables import FAILURE, SUCCESS
from lowslow_assets_tests.support.relations import relation

MEMBERS = schema(
    "incident_id string, user string, outcome string, ip_address string, "
    "time_generated timestamp, latitude double"
)


def test_the_most_informative_addresses_come_first(engine: Engine):
    def signin(address: str, outcome: str = FAILURE, day: int = 1, user: str = "a", where=None):
        return ("one", user, outcome, address, datetime(2026, 6, day, tzinfo=UTC), where)

    rows = [
        # Two successes of one account count as one account, and two accounts are more.
        *(signin("192.0.2.1", SUCCESS) for _ in range(5)),
        signin("192.0.2.2", SUCCESS, user="a"),
        signin("192.0.2.2", SUCCESS, user="b"),
        *(signin("192.0.2.3") for _ in range(9)),
        signin("192.0.2.4", day=1),
        signin("192.0.2.5", day=2, where=10.0),
        signin("192.0.2.5", day=1),
        signin("2001:db8::1", day=2),
        *(
            signin(text)
            for text in (
                "1b4d7e0c-9f1c-4c58-a3f4-0123456789ab",
                "",
                "x" * 50,
                "192.0.2.1\n",
                "1" * 46,
                "1",
            )
        ),
    ]
    other = [("two", "a", FAILURE, "192.0.2.4", datetime(2026, 6, 1, tzinfo=UTC), None)]
    members = relation(engine, MEMBERS, rows + other)
    expected = ["192.0.2.2", "192.0.2.1", "192.0.2.3", "192.0.2.5", "2001:db8::1", "192.0.2.4"]

    def ranked(most: int) -> dict[tuple[str, int], tuple[str, bool]]:
        found = informative_addresses(members, most).rows()
        return {(r["incident_id"], r["rank"]): (r["ip_address"], r["located"]) for r in found}

    assert ranked(10) == {
        **{("one", n): (a, a == "192.0.2.5") for n, a in enumerate(expected, start=1)},
        ("two", 1): ("192.0.2.4", False),
    }
    assert ranked(2).keys() == {("one", 1), ("one", 2), ("two", 1)}
