"""What the page of a campaign says, and what it recommends."""

from lowslow_assets.reports.pages import words
from lowslow_assets_tests.support.page_examples import hunt_of, page_of, quiet_hunt


def test_the_summary_has_the_figures_and_how_sure_it_is():
    said = words.summary(page_of().incident)
    assert said.startswith(
        "From 2 June 2026 to 6 June 2026, 4 failed sign-ins came in on 3 accounts and 1 name "
        "without an account, "
    )
    assert "from 4 addresses in 2 countries" in said
    assert "It is very likely one campaign" in said
    assert said.endswith(
        "It probably compromised one account: check it first. It probably knows the password of "
        "one account besides, and was stopped: reset it first."
    )


def test_the_history_says_since_when_and_what_is_new():
    incident = page_of().incident
    assert words.history(incident) == (
        "First found by the hunt of 1 June 2026. New since that of 4 June 2026: 1 attempt, "
        "1 account possibly compromised, 1 password known."
    )
    first = {**incident, "state": "new", "previous_hunt": None}
    assert words.history(first) == "First found by the hunt of 1 June 2026: all of it is new."


def test_without_entries_it_says_so_and_asks_for_no_reset():
    page = page_of()
    nothing = {"compromised_users": [], "known_passwords": [], "invented_names": 0}
    incident = {**page.incident, **nothing, "confidence_label": "low"}
    said = words.summary(incident)
    assert "It might be one campaign" in said
    assert said.endswith("the log shows no compromised account.")
    steps = words.next_steps(incident, page.features)
    assert not any("reset" in step for step in steps)
    compromised = words.next_steps(page.incident, page.features)
    assert "Revoke the sessions" in compromised[0]
    assert compromised[2].startswith("First reset the passwords that it knows")
    assert compromised[3:] == steps


def test_known_passwords_without_entries_are_no_all_clear():
    incident = {**page_of().incident, "compromised_users": []}
    assert words.summary(incident).endswith(
        "No success follows its pattern. It probably knows the password of one account, and was "
        "stopped: reset it first."
    )
    two = {**incident, "known_passwords": incident["known_passwords"] * 2}
    assert "It probably knows 2 accounts' passwords, and was stopped" in words.summary(two)


def test_legacy_clients_are_to_be_blocked_where_the_campaign_uses_them():
    incident = page_of().incident
    legacy = [{"feature": "ClientAppUsed", "top_category": "IMAP4"}]
    modern = [{"feature": "ClientAppUsed", "top_category": "Browser"}]
    assert any("legacy" in step for step in words.next_steps(incident, legacy))
    assert not any("legacy" in step for step in words.next_steps(incident, modern))


def test_what_is_repeated_is_to_be_tested_as_a_rule():
    page = page_of()
    nothing = words.next_steps({**page.incident, "invariants": []}, page.features)
    rule = set(words.next_steps(page.incident, page.features)) - set(nothing)
    assert len(rule) == 1
    assert "report-only" in rule.pop()


def test_a_hunt_adds_up():
    assert words.hunt_summary(hunt_of()) == (
        "20 sign-ins in the window failed, were stopped behind a right password or were refused. "
        "75.0% of them have a harmless or loud explanation; 5 have none and were searched for "
        "campaigns."
    )
    assert words.hunt_summary(quiet_hunt()).startswith("No sign-in in the window failed")


def test_a_p_value_is_never_zero():
    assert words.p_value(0.0234) == "p = 0.023"
    assert words.p_value(0.0) == "p < 1e-300"
