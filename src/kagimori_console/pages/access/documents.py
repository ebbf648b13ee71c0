"""Policy documents of IAM's answers, and their texts as people edit them."""

import json
from typing import Any, Final
from urllib.parse import unquote

EMPTY: Final = '{\n  "Version": "2012-10-17",\n  "Statement": []\n}'


def text_of(document: Any) -> str:
    """Return the text of a policy document, which IAM's answers hold percent-encoded."""
    return unquote(document) if isinstance(document, str) else json.dumps(document, indent=2)


def with_statement(policy: str, statement: str) -> str:
    """Return the text of a policy with one more statement; as it is if either is no JSON object."""
    try:
        found, added = json.loads(policy), json.loads(statement)
    except ValueError:
        return policy
    if not isinstance(found, dict) or not isinstance(added, dict):
        return policy
    statements = found.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    found["Statement"] = [*statements, added]
    return json.dumps(found, indent=2, ensure_ascii=False)
