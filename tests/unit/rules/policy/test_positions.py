"""Where statements stand, as IAM's simulator tells it: recorded answers of AWS agree."""

import json

import pytest

from kagimori.rules.policy.positions import statement_spans


def spans(text):
    json.loads(text)
    return [
        ((span.start.line, span.start.column), (span.end.line, span.end.column))
        for span in statement_spans(text)
    ]


def test_one_statement_in_a_list():
    text = '{"Statement":[{"Effect":"Allow"}],"Version":"2012-10-17"}'
    assert spans(text) == [((1, 15), (1, 33))]


def test_a_statement_without_list():
    text = '{\n  "Version": "2012-10-17",\n  "Statement": {\n    "Effect": "Allow"\n  }\n}'
    assert spans(text) == [((3, 16), (5, 4))]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_end_in_three_ways(line_end):
    text = line_end.join(['{"Statement": [', " {},", "  {", "  }", "]}"])
    assert spans(text) == [((2, 2), (2, 4)), ((3, 3), (4, 4))]


def test_braces_in_texts_and_conditions_are_no_statements():
    text = '{"Id":"{[\\"}","Statement":[{"Sid":"}","Condition":{"Bool":{"a":["b"]}}},{"Sid":"x"}]}'
    found = spans(text)
    pieces = [text[start[1] - 1 : end[1] - 1] for start, end in found]
    assert [json.loads(piece)["Sid"] for piece in pieces] == ["}", "x"]


def test_only_the_documents_own_statement_counts():
    assert spans('{"Id":"Statement","Version":"x","Statement":[]}') == []
