"""Where addresses are, from files without a network."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets.enrichment.answers import UNKNOWN, EnrichmentError
from lowslow_assets.enrichment.places import IPTOCC, locate
from lowslow_assets_tests.support.mmdb import write_mmdb

HERE, THERE, OF_VERSION_6 = map(ip_address, ("192.0.2.9", "198.51.100.1", "2001:db8::1"))
CITY = {
    "country": {"iso_code": "FR"},
    "city": {"names": {"en": "Lyon"}},
    "location": {"latitude": 45.75, "longitude": 4.85},
}


def database(folder: Path, records: dict[str, Any], ip_version: int = 6) -> str:
    path = folder / "city.mmdb"
    path.write_bytes(write_mmdb(records, ip_version))
    return str(path)


def test_a_city_database(tmp_path: Path):
    found = locate(
        database(
            tmp_path, {"192.0.2.0/24": CITY, "2001:db8::/32": {"country": {"iso_code": "NO"}}}
        ),
        [HERE, THERE, OF_VERSION_6],
    )
    here = found[HERE]
    assert (here.country, here.city, here.latitude, here.longitude) == ("FR", "Lyon", 45.75, 4.85)
    assert (found[OF_VERSION_6].country, found[OF_VERSION_6].city) == ("NO", None)
    assert (found[THERE].country, found[THERE].error) == (None, None)
    assert {answer.verdict for answer in found.values()} == {UNKNOWN}
    assert all(answer.looked_up_at for answer in found.values())


@pytest.mark.parametrize("record", ["FR", {"country": "FR"}, {"city": {"names": ["Lyon"]}}, {}])
def test_a_record_of_another_shape_says_nothing(tmp_path: Path, record: Any):
    found = locate(database(tmp_path, {"192.0.2.0/24": record}), [HERE])[HERE]
    assert (found.country, found.city, found.latitude, found.error) == (None, None, None, None)


def test_a_database_of_version_4_only(tmp_path: Path):
    found = locate(database(tmp_path, {"192.0.2.0/24": CITY}, 4), [HERE, OF_VERSION_6])
    assert found[HERE].country == "FR"
    assert found[OF_VERSION_6].error == "the database holds no IPv6"


def test_the_package_knows_countries():
    private = ip_address("10.0.0.1")
    # The root server K of the RIPE NCC, and one of its own addresses.
    found = locate(IPTOCC, [ip_address("193.0.14.129"), ip_address("2001:67c:2e8::1"), private])
    assert [answer.country for answer in found.values()] == ["NL", "NL", None]
    assert all(answer.latitude is None for answer in found.values())


@pytest.mark.parametrize("content", [None, b"", b"not a database"])
def test_a_file_that_is_not_a_database_is_one_sentence(tmp_path: Path, content: bytes | None):
    path = tmp_path / "city.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnrichmentError, match=r"^LOWSLOW_GEO_DATABASE .* cannot be used: .*\.$"):
        locate(str(path), [HERE])
