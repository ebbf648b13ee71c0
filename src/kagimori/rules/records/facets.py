"""The facets by which events are looked up, and the match of an event with a query."""

from collections.abc import Iterator

from kagimori.rules.records.copies import owners_event_id
from kagimori.rules.records.entry import Entry
from kagimori.rules.records.lookup import EventQuery

Facet = tuple[str, str, str, str]  # account, region, CloudTrail's attribute ("": any), value


def facets(entry: Entry) -> Iterator[Facet]:
    """Yield all facets of an event but its id: in the caller's trail, and in those of owners."""
    region = entry.aws_region
    for account_id in (entry.recipient_account_id, *entry.owners):
        if not account_id:
            continue
        yield account_id, region, "", ""
        yield account_id, region, "EventName", entry.event_name
        yield account_id, region, "EventSource", entry.event_source
        if not entry.read_only:
            yield account_id, region, "ReadOnly", "false"
        for resource in entry.resources or ():
            yield account_id, region, "ResourceType", resource.type
            yield account_id, region, "ResourceName", short_name(resource.arn)
    identity, account_id = entry.user_identity, entry.recipient_account_id
    if account_id:
        yield account_id, region, "Username", identity.shown_name
        yield account_id, region, "AccessKeyId", identity.access_key_id


def short_name(resource_name: str) -> str:
    """Return the last part of an ARN, by which a resource is found as well as by the whole."""
    return resource_name.rpartition("/")[2]


def facets_of(query: EventQuery) -> list[Facet]:
    """Return the facets, one for each region, of which an event that a query asks for has one.

    Other events may have it too: each has still to be held against the query.
    """
    name, value = query.attribute or ("", "")
    if name == "EventId" or (name, value) == ("ReadOnly", "true"):
        name = value = ""  # nearly all there are
    if name == "ResourceName":
        value = short_name(value)
    return [(query.account_id, region, name, value) for region in query.regions]


def event_ids(entry: Entry) -> list[str]:
    """Return the id of an event, and those of its copies."""
    event_id, owners = entry.event_id, entry.owners
    if not owners:
        return [event_id]
    return [event_id, *(owners_event_id(event_id, owner) for owner in owners)]


def is_asked_for(entry: Entry, at: int, query: EventQuery) -> bool:
    """Return whether an event, as the querying account sees it, matches a query."""
    account_id = query.account_id
    is_own = entry.recipient_account_id == account_id
    if not is_own and account_id not in entry.owners:
        return False
    if entry.aws_region not in query.regions or not query.start <= at <= query.end:
        return False
    if query.attribute is None:
        return True
    name, value = query.attribute
    if name == "EventId":
        event_id = entry.event_id if is_own else owners_event_id(entry.event_id, account_id)
        return event_id == value
    if name == "ReadOnly":
        return entry.read_only == (value == "true")
    if name == "ResourceName":
        names = [resource.arn for resource in entry.resources or ()]
        return value in names or value in map(short_name, names)
    if name in ("Username", "AccessKeyId") and not is_own:
        return False
    return (account_id, entry.aws_region, name, value) in facets(entry)
