"""The promises of `../shared/data/README.md` in our language, by the ids that it gives them."""

HEAD = "apiVersion: makegood/v1\nkind: Promise\nmetadata: {{name: {name}, owner: test}}\nspec:\n  statement: A claim.\n"
N1 = """  response:
    when: {type: request.opened, where: "has(data.due)"}
    expect: {type: request.closed}
    by: data.due
"""
N2 = """  response:
    when: {type: request.opened, where: {data.agency: NYPD}}
    expect: {type: request.closed}
    within: 8 hours
"""
F2 = """  response: {when: {type: flight.scheduled}, expect: {type: flight.departed}, correlate: subject}
  broken_by: {type: flight.cancelled}
"""
H1 = """  response: {when: {type: Resolve ticket}, expect: {type: Closed}, within: 720 hours}
"""
H2 = """  precedence: {event: {type: Closed}, after: {type: Resolve ticket}}
"""
H3 = """  response:
    when: {type: Assign seriousness}
    expect: {type: Take in charge ticket}
    open: first
    within: 1 hour
"""
H4 = """  limit: {event: {type: Wait}, at_most: 2}
"""
H5 = """  absence: {when: {type: Closed}, never: {type: "*"}, open: first}
"""
H5B = """  absence: {when: {type: Closed}, never: {type: "*"}}
"""
H7 = """  calendar: office
  response:
    when: {{type: Assign seriousness}}
    expect: {{type: Take in charge ticket}}
    open: first
    within: {hours} business hours
"""
OFFICE = """apiVersion: makegood/v1
kind: Calendar
metadata: {name: office}
spec: {zone: UTC, week: {mon-fri: ["07:00-17:00"]}}
"""
R1_DAYS = {2: 1, 3: 3, 4: 7, 5: 14}
R1 = """  response:
    when: {{type: incident.open, where: {{data.priority: {priority}}}}}
    expect: {{type: incident.resolved}}
    within: {hours} hours
"""
R2 = """  absence: {when: {type: Open}, never: {type: Reopen}}
"""
T1 = """  response: {when: {type: Send Fine}, expect: {type: Insert Fine Notification}, by: data.due}
"""
T2 = """  precedence: {event: {type: Add penalty}, after: {type: Insert Fine Notification}, no_sooner_than: 1440 hours}
"""
T3 = """  settlement:
    when: {type: Create Fine}
    collect: {type: "*"}
    until: {type: Send for Credit Collection}
    must: >-
      max(events, 'data.paid') < trigger.data.amount + max(events, 'data.expense')
      || max(events, 'data.paid') < max(events, 'data.amount') + max(events, 'data.expense')
"""
T4 = """  precedence: {event: {type: Add penalty}, after: {type: Insert Fine Notification}}
"""
W1 = """  response:
    when: {type: case.started, where: "has(data.deadline)"}
    expect: {type: case.ended}
    by: data.deadline
"""


def r1() -> dict[str, str]:
    """R1, one promise a priority: days of 24 hours."""
    return {f"r1-{priority}": R1.format(priority=priority, hours=24 * days) for priority, days in R1_DAYS.items()}


def document(promises: dict[str, str], before: str = "") -> str:
    """A file of promises by name, behind another document."""
    return "---\n".join(([before] if before else []) + [HEAD.format(name=name) + spec for name, spec in promises.items()])
