"""Incidents in a workspace that behaves as documented: merged, never doubled, never lost."""

import itertools
import logging
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.identity import RESUMED, SPLIT
from lowslow_assets.sinks import calls
from lowslow_assets.sinks.sentinel import MAX_COMMENTS, Note, merged_properties, new_properties
from lowslow_assets.sinks.updates import (
    COMMENTED,
    CREATED,
    FAILED,
    UNCHANGED,
    UPDATED,
    Delivery,
    IncidentUpdate,
)
from lowslow_assets_tests.support.drawn_incidents import campaign_id, day, incident, merged, update
from lowslow_assets_tests.support.workspace import (
    FAULTS,
    LOST,
    THROTTLED,
    UNAVAILABLE,
    Connection,
    Killed,
    Workspace,
)

Connect = Callable[[Workspace], Connection]
A = campaign_id(0)


def deliver(at: Connection, of_day: int, updates: Sequence[IncidentUpdate]) -> list[Delivery]:
    made = at.sentinel.deliver(day(of_day), updates)
    assert at.workspace.violations == []
    assert [delivery.incident_id for delivery in made] == [one.campaign_id for one in updates]
    return made


def action(at: Connection, of_day: int, one: IncidentUpdate) -> str:
    [made] = deliver(at, of_day, [one])
    return made.action


def labels(at: Connection, name: str = A) -> list[str]:
    return [label["labelName"] for label in at.workspace.shown(name)["labels"]]


def test_a_campaign_is_one_incident_that_is_kept_up_to_date(connection: Connect):
    at = connection(Workspace())
    assert action(at, 0, update(0, 0)) == CREATED
    first = at.workspace.shown(A)
    assert (first["status"], first["severity"]) == ("New", "Medium")
    assert first["title"] == incident(0, 0)["title"]
    assert action(at, 1, update(0, 1)) == UPDATED
    assert list(at.workspace.incidents) == [A]
    second = at.workspace.shown(A)
    assert second["description"] == incident(0, 1)["description"]
    assert second["firstActivityTimeUtc"] == "2026-03-01T04:00:00Z"
    assert second["lastActivityTimeUtc"] == "2026-04-02T22:30:15Z"
    # More attempts alone are not news.
    assert at.workspace.comments.get(A, {}) == {}


def test_a_hunt_sent_again_writes_nothing(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    again = update(0, 1, compromised_users=["a@contoso.example"])
    assert action(at, 1, again) == UPDATED
    before, number = at.workspace.state(), len(at.workspace.requests)
    assert action(at, 1, again) == UNCHANGED
    assert at.workspace.state() == before
    assert {method for method, _ in at.workspace.requests[number:]} == {"GET"}


def test_an_older_hunt_made_again_does_not_bring_back_its_words(connection: Connect):
    at = connection(Workspace())
    for number in (0, 1, 5):
        deliver(at, number, [update(0, number)])
    before = at.workspace.state()
    for number in (3, 1, 0):
        changed = update(0, number, title="Words of an older day", severity="High")
        assert action(at, number, changed) == UNCHANGED
    assert at.workspace.state() == before


def test_the_same_day_made_again_with_other_content_updates_the_incident(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    assert action(at, 0, update(0, 0, title="Late rows came")) == UPDATED
    assert at.workspace.shown(A)["title"] == "Late rows came"


def test_days_before_the_one_that_made_the_incident_are_no_news(connection: Connect):
    at = connection(Workspace())
    deliver(at, 9, [update(0, 9)])
    assert action(at, 4, update(0, 4, compromised_users=["a@contoso.example"])) == UNCHANGED
    assert at.workspace.comments.get(A, {}) == {}


def test_news_becomes_one_comment_however_often_it_is_sent(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    compromised = update(0, 3, compromised_users=["a@contoso.example", "b@contoso.example"])
    assert action(at, 3, compromised) == UPDATED
    [text] = at.workspace.comments[A].values()
    assert "a@contoso.example" in text
    assert "b@contoso.example" in text
    assert text.startswith("Hunt of 2026-04-04: ")
    deliver(at, 4, [update(0, 4, state=RESUMED)])
    deliver(at, 3, [compromised])
    assert len(at.workspace.comments[A]) == 2
    assert action(at, 2, update(0, 2, compromised_users=["c@contoso.example"])) == COMMENTED
    assert len(at.workspace.comments[A]) == 3


def test_a_merged_campaign_is_not_closed_but_names_its_successor(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0), update(1, 0)])
    before = at.workspace.incidents[campaign_id(1)]
    made = deliver(at, 1, [update(0, 1), merged(1, into=0)])
    assert [delivery.action for delivery in made] == [UPDATED, COMMENTED]
    [text] = at.workspace.comments[campaign_id(1)].values()
    assert A in text
    assert at.workspace.incidents[campaign_id(1)] == before
    assert deliver(at, 2, [merged(1, into=0)])[0].action == UNCHANGED
    # An incident that was never sent is not created for this.
    [never] = deliver(at, 2, [merged(2, into=0)])
    assert (never.action, never.detail) == (UNCHANGED, "merged before it was ever sent")
    assert action(at, 3, update(1, 3, state=SPLIT, split_from=A)) == UPDATED
    assert len(at.workspace.comments[campaign_id(1)]) == 2


def test_severity_is_raised_and_never_lowered(connection: Connect):
    at = connection(Workspace())
    for number, severity, shown in [
        (0, "Low", "Low"),
        (1, "High", "High"),
        (2, "Medium", "High"),
        (3, "High", "High"),
    ]:
        deliver(at, number, [update(0, number, severity=severity)])
        assert at.workspace.shown(A)["severity"] == shown


def test_activity_that_was_known_stays_known(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    of_less = incident(0, 0)["first_activity"] + timedelta(hours=1)
    deliver(at, 1, [update(0, 1, first_activity=of_less, last_activity=of_less)])
    shown = at.workspace.shown(A)
    assert shown["firstActivityTimeUtc"] == "2026-03-01T04:00:00Z"
    assert shown["lastActivityTimeUtc"] == "2026-04-01T22:30:15Z"


EDITS = {
    "title": "Case 17: the spring spray",
    "description": "Known to the provider, see the ticket.",
    "severity": "Informational",
    "status": "Active",
    "owner": {"objectId": None, "email": None, "assignedTo": "Analyst", "userPrincipalName": None},
}
CLOSED = {
    "status": "Closed",
    "classification": "TruePositive",
    "classificationReason": "SuspiciousActivity",
    "classificationComment": "Blocked.",
}


@given(
    st.lists(
        st.one_of(
            st.sampled_from(sorted(EDITS)),
            st.just("close"),
            st.just("label"),
            st.just("comment"),
            st.integers(min_value=0, max_value=6),
        ),
        min_size=3,
        max_size=12,
    )
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_analysts_changed_survives_every_later_run(connection: Connect, steps):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    theirs: dict[str, object] = {}
    frozen: dict[str, object] = {}
    for step in [*steps, 7]:
        if isinstance(step, int):
            compromised = ["a@contoso.example"] if step % 2 else []
            severity = ("Low", "Medium", "High")[step % 3]
            sent = update(0, step, severity=severity, compromised_users=compromised)
            deliver(at, step, [sent])
        elif step == "close":
            at.workspace.edit(A, **CLOSED)
            theirs |= CLOSED
            # A closed incident keeps its text, whoever wrote it, until somebody opens it.
            shown = at.workspace.shown(A)
            frozen = {key: shown[key] for key in ("title", "description", "severity")}
        elif step == "label":
            present = at.workspace.shown(A)["labels"]
            others = [label for label in present if label["labelName"] != "vip"]
            label = {"labelName": "vip", "labelType": "User"}
            at.workspace.edit(A, labels=[label, *others])
        elif step == "comment":
            at.workspace.comments.setdefault(A, {})["theirs"] = "Mine."
        else:
            frozen = frozen | {step: EDITS[step]} if frozen and step != "status" else {}
            at.workspace.edit(A, **{step: EDITS[step]})
            theirs[step] = EDITS[step]
        shown = at.workspace.shown(A)
        kept = theirs | frozen
        assert {key: shown[key] for key in kept} == kept
        assert len([label for label in labels(at) if label.startswith("lowslow:")]) == 1
    if "comment" in steps:
        assert at.workspace.comments[A]["theirs"] == "Mine."
    assert ("vip" in labels(at)) == ("label" in steps)


def test_an_incident_whose_label_was_removed_gets_comments_alone(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    at.workspace.edit(A, labels=[])
    before = at.workspace.incidents[A]
    assert action(at, 1, update(0, 1, severity="High")) == UNCHANGED
    [made] = deliver(at, 2, [update(0, 2, compromised_users=["a@contoso.example"])])
    assert (made.action, made.detail) == (
        COMMENTED,
        "with news as a comment; without our label: only comments are added",
    )
    assert at.workspace.incidents[A] == before


def test_the_last_comments_are_left_to_analysts(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    at.workspace.comments[A] = {str(number): "Theirs." for number in range(MAX_COMMENTS - 1)}
    for number in (1, 2):
        [made] = deliver(at, number, [update(0, number, state=RESUMED)])
    assert len(at.workspace.comments[A]) == MAX_COMMENTS
    assert made.detail == f"news left out: it has {MAX_COMMENTS} comments"


@pytest.mark.parametrize("stale", [409, 412])
def test_who_writes_at_the_same_time_is_read_and_merged(connection: Connect, stale: int):
    at = connection(Workspace(stale=stale))
    deliver(at, 0, [update(0, 0)])
    edits = iter([{"status": "Active"}, {"severity": "Low"}])

    def analyst() -> None:
        for edit in itertools.islice(edits, 1):
            at.workspace.edit(A, **edit)

    at.workspace.before_write = analyst
    assert action(at, 1, update(0, 1, severity="High")) == UPDATED
    shown = at.workspace.shown(A)
    assert (shown["status"], shown["severity"]) == ("Active", "Low")
    assert at.transport.slept == []
    assert shown["description"] == incident(0, 1)["description"]


def test_endless_conflicts_end(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    at.workspace.before_write = lambda: at.workspace.edit(A)
    [made] = deliver(at, 1, [update(0, 1)])
    assert (made.action, made.detail) == (FAILED, "Others wrote to it 5 times meanwhile.")


def test_one_that_is_refused_does_not_lose_the_others(connection: Connect):
    at = connection(Workspace())
    number = len(at.workspace.requests)
    at.workspace.fault = lambda n: UNAVAILABLE if n <= number + 4 else None
    made = deliver(at, 0, [update(0, 0), update(1, 0)])
    assert [delivery.action for delivery in made] == [FAILED, CREATED]
    assert made[0].detail == "GET was answered 503."
    assert [d.action for d in deliver(at, 0, [update(0, 0), update(1, 0)])] == [CREATED, UNCHANGED]


def test_an_answer_that_is_no_incident_fails_that_one_alone(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0), update(1, 0)])
    at.workspace.incidents[update(0, 0).campaign_id]["etag"] = None
    made = deliver(at, 1, [update(0, 1), update(1, 1)])
    assert [delivery.action for delivery in made] == [FAILED, UPDATED]
    assert made[0].detail == "GET was not answered by an incident."


def test_throttling_is_waited_out_as_long_as_requested_and_not_for_hours(connection: Connect):
    at = connection(Workspace(fault=lambda n: THROTTLED if n in (1, 3) else None))
    assert action(at, 0, update(0, 0)) == CREATED
    assert at.transport.slept == [7, 7]
    at.workspace.retry_after = 3600
    at.workspace.fault = lambda n: THROTTLED
    [made] = deliver(at, 1, [update(0, 1)])
    assert (made.action, made.detail) == (FAILED, "GET was answered 429.")
    assert at.transport.slept == [7, 7]


def test_a_delivery_has_an_end(connection: Connect, monkeypatch: pytest.MonkeyPatch):
    at = connection(Workspace())
    clock = iter(range(0, 10_000, 400))
    monkeypatch.setattr(calls, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    made = at.sentinel.deliver(day(0), [update(number, 0) for number in range(3)])
    assert [delivery.action for delivery in made] == [CREATED, FAILED, FAILED]
    assert made[2].detail == "The delivery took longer than 900 s."


def story(of_day: int) -> list[IncidentUpdate]:
    """Three campaigns: the second is merged into the first, the third enters accounts."""
    compromised = [f"user{of_day}@contoso.example"] if of_day % 20 == 7 else []
    second = (
        update(1, of_day, state=RESUMED if of_day == 30 else "continued")
        if of_day < 60
        else merged(1, into=0)
    )
    severity = "High" if of_day >= 27 else "Medium"
    return [
        update(0, of_day),
        second,
        update(2, of_day, compromised_users=compromised, severity=severity),
    ]


def calm(connection: Connect, days: range):
    at = connection(Workspace())
    for number in days:
        assert FAILED not in {d.action for d in deliver(at, number, story(number))}
    return at


def test_killed_at_any_point_and_made_again_nothing_is_doubled_or_lost(connection: Connect):
    days = range(6, 9)
    expected = calm(connection, days)
    for number in range(1, len(expected.workspace.requests) + 1):
        for kill in ("kill_before", "kill_after"):
            at = connection(Workspace())
            setattr(at.adapter, kill, number)
            killed = 0
            for of_day in days:
                try:
                    deliver(at, of_day, story(of_day))
                except Killed:
                    killed += 1
                    deliver(at, of_day, story(of_day))
            assert killed == 1
            assert at.workspace.state() == expected.workspace.state()


def test_ninety_hunts_with_kills_and_faults_make_three_incidents(connection: Connect):
    days = range(90)
    expected = calm(connection, days).workspace
    chance = random.Random(6)
    at = connection(Workspace())
    at.workspace.fault = lambda _: chance.choice(FAULTS) if chance.random() < 1 / 3 else None
    kills = sorted(chance.sample(range(1, len(expected.requests)), 10))
    killed = runs = faulty = 0
    for of_day in days:
        done = False
        while not done:
            runs += 1
            if kills and at.adapter.number < kills[0]:
                kill = chance.choice(["kill_before", "kill_after"])
                at.adapter.kill_before = at.adapter.kill_after = None
                setattr(at.adapter, kill, kills[0])
            try:
                made = deliver(at, of_day, story(of_day))
            except Killed:
                killed += 1
                kills = [number for number in kills if number > at.adapter.number]
                continue
            faulty += sum(delivery.action == FAILED for delivery in made)
            done = FAILED not in {delivery.action for delivery in made}
    assert killed == 10
    assert runs > 100
    assert faulty
    assert at.workspace.state() == expected.state()
    assert set(at.workspace.incidents) == {campaign_id(number) for number in range(3)}
    assert [len(at.workspace.comments.get(campaign_id(n), {})) for n in range(3)] == [0, 2, 5]
    # Every token was used while it was valid, and there were hundreds of them.
    assert len(set(at.credential.given)) > 100


def test_no_token_is_in_any_output(
    connection: Connect, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    at = connection(Workspace())
    # Faults of all kinds, and answers that repeat the request's headers.
    at.workspace.fault = lambda n: (LOST, THROTTLED, UNAVAILABLE, None, None)[n % 5]
    details = []
    for number in range(8):
        for sink in at.sinks:
            details += sink.deliver(day(number), story(number))
    at.credential.workspace = Workspace()
    at.workspace.tokens.clear()
    at.workspace.fault = lambda n: None
    for sink in at.sinks:
        details += sink.deliver(day(9), story(9))
    assert {d.detail for d in details if d.action == FAILED} >= {
        "GET was answered 400 BadRequest.",
        "The answer was 400 BadRequest.",
    }
    output = "".join(capfd.readouterr()) + caplog.text + repr(details)
    assert "azure" in caplog.text
    assert "planted-secret" not in output


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](https://evil.example)",
    "=cmd|' /C calc'!A0",
    "\u202eoof@contoso.example",
    "😀" * 10_000,
    "a" * 40_000,
    "\x00\x1b[31m`{}`\n\n# Closed",
]


def test_hostile_and_endless_values_stay_within_limits_and_are_no_markup(connection: Connect):
    at = connection(Workspace())
    deliver(at, 0, [update(0, 0)])
    for number, text in enumerate(HOSTILE, start=1):
        sent = update(0, number, title=text, description=text, compromised_users=[text])
        assert action(at, number, sent) == UPDATED
        many = [f"{text[:300]}{n}" for n in range(100)]
        assert action(at, number, update(0, number, compromised_users=many)) == UPDATED
        shown = at.workspace.shown(A)
        texts = [shown["title"], shown["description"], *at.workspace.comments[A].values()]
        for written in texts:
            assert not set("<>[]`\u202e\x00\x1b") & set(written)
            assert "://" not in written


@given(
    title=st.text(min_size=1),
    description=st.text(),
    labels=st.lists(st.text(), max_size=3),
    of_day=st.integers(min_value=1, max_value=50),
)
def test_merging_twice_is_merging_once(title, description, labels, of_day):
    found = new_properties(incident(0, 0), day(0))
    found["labels"] += [{"labelName": label, "labelType": "User"} for label in labels]
    sent = incident(0, of_day, title=title, description=description)
    once = merged_properties(found, sent, day(of_day))
    assert merged_properties(once, sent, day(of_day)) == once
    assert [x["labelName"] for x in once["labels"]][:-1] == [
        label for label in labels if label != found["labels"][0]["labelName"]
    ]


def test_a_note_reads_as_it_was_written_and_nothing_else_reads_like_one():
    note = Note(day(0), day(0) + timedelta(days=3), "0123abcd", "89abcdef", "High")
    assert Note.of(["vip", str(note)]) == note
    for other in (
        "lowslow",
        f"{note} ",
        f"x{note}",
        str(note).replace("High", "Worse"),
        str(note).replace("-04-", "-13-"),
    ):
        assert Note.of([other]) is None
