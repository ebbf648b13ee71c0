"""The obvious evaluator: slow, literal, written from the reference alone (9.1, 9.4, 9.7, 9.8, 10.3).

It takes plain JSON values and answers "allow", "deny" or "none" for a policy and "allowed" or
"denied" for a request. It shares no code with the evaluator it is compared with.
"""

from oracle.conditions import Cannot, action_fits, condition_holds, resource_fits


def listed(value):
    return value if isinstance(value, list) else [value]


def account_in(text):
    if len(text) == 12 and text.isdigit():
        return text
    parts = text.split(":")
    return parts[4] if parts[-1] == "root" and len(parts) == 6 else None


def ways(element, caller, denies):
    """All ways in which a Principal element names the caller."""
    found = set()
    element = {"AWS": "*"} if element == "*" else element
    for kind, texts in element.items():
        for text in listed(texts):
            has_account = caller["kind"] not in ("service", "anonymous")
            if kind == "AWS" and text == "*" and (denies or has_account):
                found.add("everyone")
            elif kind == "AWS" and has_account and account_in(text) == caller["account"]:
                found.add("account")
            for name_kind, name in caller["names"]:
                if name == text and (name_kind == "service") == (kind == "Service"):
                    found.add(name_kind)
    return found


def spared(element, caller, bounded):
    if bounded or element == "*" or "*" in listed(element.get("AWS", [])):
        return False
    found = ways(element, caller, True)
    needed = {kind for kind, _ in caller["names"]}
    if caller["kind"] != "service":
        needed.add("account")
    return (
        caller["kind"] != "anonymous"
        and needed <= found
        and (caller["kind"] == "root" or len(caller["names"]) > 0)
    )


def statement_ways(statement, version, request, kind):
    """The ways in which a statement applies to a request; empty when it does not."""
    denies = statement["Effect"] == "Deny"
    variables = version == "2012-10-17"
    values = request["values"]
    if not ("Action" in statement or "NotAction" in statement):
        return set()
    if not ("Resource" in statement or "NotResource" in statement):
        return set()
    acts = any(
        action_fits(a, request["action"])
        for a in listed(statement.get("Action", statement.get("NotAction")))
    )
    if acts == ("NotAction" in statement):
        return set()
    entries = listed(statement.get("Resource", statement.get("NotResource")))
    hits = [resource_fits(entry, request["resource"], values, variables) for entry in entries]
    if "NotResource" in statement:
        if None in hits:
            if not denies:
                return set()
        elif True in hits:
            return set()
    elif True not in hits:
        return set()
    if kind == "identity":
        found = {"attached"}
    elif "NotPrincipal" in statement:
        if not denies or spared(statement["NotPrincipal"], request["caller"], request["bounded"]):
            return set()
        found = {"everyone"}
    else:
        found = ways(statement["Principal"], request["caller"], denies)
    for operator, block in statement.get("Condition", {}).items():
        for key, operands in block.items():
            try:
                holds = condition_holds(
                    operator, key, listed(operands), values, variables, denies, kind == "key"
                )
            except Cannot:
                holds = denies
            if not holds:
                return set()
    return found


def judge(policy, request, kind):
    """Return ("deny", …), ("allow", ways) or ("none", empty)."""
    allowed = set()
    for statement in listed(policy["Statement"]):
        found = statement_ways(statement, policy.get("Version"), request, kind)
        if found and statement["Effect"] == "Deny":
            return "deny", set()
        if statement["Effect"] == "Allow":
            allowed |= found
    return ("allow", allowed) if allowed else ("none", set())


def judge_any(policies, request):
    said = [judge(policy, request, "identity")[0] for policy in policies]
    return "deny" if "deny" in said else "allow" if "allow" in said else "none"


CROSS = {
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:RevokeGrant",
}


def grant_fits(grant, request):
    operation = request["action"].removeprefix("kms:")
    if operation not in grant["operations"] or grant["key"] != request["resource"]:
        return False
    if grant.get("source_arn") is not None and grant["source_arn"] != request["source_arn"]:
        return False
    if operation == "CreateGrant":
        return False  # the duel proposes no child
    if operation in ("Encrypt", "Decrypt", "GenerateDataKey"):
        context = request["context"] or {}
        if grant.get("equals") is not None and grant["equals"] != context:
            return False
        if not set((grant.get("subset") or {}).items()) <= set(context.items()):
            return False
    return True


def decide(request, identity, boundary, sessions, key):
    """Return whether the request is allowed; `key` is None for what IAM alone decides."""
    caller = request["caller"]
    request = {**request, "bounded": boundary is not None}
    identity_says = judge_any(identity, request)
    boundary_says = "allow" if boundary is None else judge(boundary, request, "identity")[0]
    if sessions is None and caller["kind"] == "federated user":
        sessions = []
    session_says = "allow" if sessions is None else judge_any(sessions, request)
    key_says, named = judge(key["policy"], request, "key") if key else ("none", set())
    if (
        "deny" in (identity_says, boundary_says, session_says, key_says)
        or caller["kind"] == "anonymous"
    ):
        return False
    iam = identity_says == "allow" or caller["kind"] == "root"
    limits = boundary_says == session_says == "allow"
    if key is None:
        return iam and limits
    local = caller["kind"] == "service" or caller["account"] == key["account"]
    if not local and request["action"] not in CROSS:
        return False

    def enough(way, own_account_spoke):
        if way == "account" or not own_account_spoke:
            return iam and limits
        if way == "role" or (way == "user" and caller["kind"] == "federated user"):
            return limits
        return True

    if any(enough(way, local) for way in named):
        return True
    for grant in key["grants"]:
        named_by = [way for way, name in caller["names"] if name == grant["grantee"]]
        if grant["grantee"] == caller["account"] and caller["kind"] != "service":
            named_by.append("account")
        spoke = local or grant["issuer"] == caller["account"]
        if grant_fits(grant, request) and any(enough(way, spoke) for way in named_by):
            return True
    return False
