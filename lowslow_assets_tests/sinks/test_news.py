"""What becomes a comment, and that the same news has the same id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.detection.identity import CONTINUED, NEW, RESUMED, SPLIT
from lowslow_assets.sinks.news import news
from lowslow_assets.sinks.text import bounded, harmless
from lowslow_assets.sinks.updates import MAX_ENTITIES, IncidentUpdate, make_updates
from lowslow_assets_tests.support.drawn_incidents import campaign_id, day, incident, merged, update


@pytest.mark.parametrize("state", [NEW, CONTINUED])
def test_more_attempts_alone_are_no_news(state: str):
    assert news(update(0, 1, state=state, new_attempts=5_000), day(1)) == []


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (
            update(0, 1, state=RESUMED, new_attempts=1_200),
            "Hunt of 2026-04-02: It is active again after a pause: 1,200 new attempts.",
        ),
        (
            update(0, 1, state=SPLIT, split_from="b"),
            "Hunt of 2026-04-02: It split from campaign b, of which it was a part.",
        ),
        (
            merged(1, into=0),
            "Hunt of 2026-04-02: This campaign continues in another one: incident "
            f"{campaign_id(0)}.",
        ),
        (
            update(0, 1, compromised_users=['a"b@contoso.example\n# Closed']),
            "Hunt of 2026-04-02: It may have compromised 1 more account(s). Check these first:\n"
            '- "a\'b@contoso.example?# Closed": 2026-04-02 22:30 UTC, probability 80%, '
            "new network",
        ),
        (
            update(0, 1, known_passwords=['a"b@contoso.example\n# Closed']),
            "Hunt of 2026-04-02: It may know the password of 1 more account(s). Reset these "
            "first:\n"
            '- "a\'b@contoso.example?# Closed": 2026-04-02 22:30 UTC, stopped by a request for '
            "a second factor, 50076",
        ),
    ],
)
def test_news_in_words(sent: IncidentUpdate, text: str):
    [found] = news(sent, day(1))
    assert found.text == text


def test_the_same_news_has_the_same_id_and_other_news_another():
    def ids(sent: IncidentUpdate, of_day: int) -> list[str]:
        return [item.id for item in news(sent, day(of_day))]

    compromised = {"compromised_users": ["a", "b"]}
    assert ids(update(0, 1, **compromised), 1) == ids(update(0, 2, **compromised), 2)
    assert ids(merged(1, 0), 1) == ids(merged(1, 0), 9)
    others = [
        ids(update(0, 1, **compromised), 1),
        ids(update(1, 1, **compromised), 1),
        ids(update(0, 1, compromised_users=["a"]), 1),
        ids(update(0, 1, compromised_users=["a1:b"]), 1),
        ids(update(0, 1, known_passwords=["a"]), 1),
        ids(update(0, 1, state=RESUMED), 1),
        ids(update(0, 2, state=RESUMED), 2),
        ids(merged(1, 0), 1),
        ids(merged(1, 2), 1),
    ]
    assert len({tuple(one) for one in others}) == len(others)


def test_updates_are_incidents_with_their_entities_and_merged_campaigns():
    known = {"known_passwords": ["y@contoso.example", "3@contoso.example"]}
    rows = [incident(0, 1, compromised_users=["z@contoso.example"], **known)]
    campaigns = [
        {"campaign_id": campaign_id(0), "state": CONTINUED, "split_from": "x", "merged_into": None},
        {"campaign_id": campaign_id(1), "state": "merged", "split_from": None, "merged_into": "y"},
        {"campaign_id": campaign_id(2), "state": "quiet", "split_from": None, "merged_into": None},
    ]
    users = [f"{number}@contoso.example" for number in range(MAX_ENTITIES)]
    found = make_updates(
        rows,
        campaigns,
        {campaign_id(0): [*users[:5], "z@contoso.example", *users[5:]]},
        {campaign_id(0): ["192.0.2.1"]},
    )
    assert [one.campaign_id for one in found] == [campaign_id(0), campaign_id(1)]
    others = [user for user in users if user != "3@contoso.example"]
    assert found[0].accounts[:3] == [f"{name}@contoso.example" for name in "zy3"]
    assert found[0].accounts[3:] == others[: MAX_ENTITIES - 3]
    assert (found[0].addresses, found[0].split_from) == (["192.0.2.1"], "x")
    assert (found[1].incident, found[1].merged_into) == (None, "y")


@given(st.text(), st.integers(min_value=3, max_value=40))
def test_bounded_text_has_as_many_units_and_loses_only_its_end(text: str, limit: int):
    found = bounded(text, limit)
    assert len(found.encode("utf-16-le")) <= 2 * limit
    assert found == text or text.startswith(found.removesuffix("..."))


@given(st.text())
def test_harmless_text_is_on_one_line_without_markup(text: str):
    found = harmless(text)
    assert found.isprintable()
    assert not set("<>[]`") & set(found)
    assert harmless(found) == found
