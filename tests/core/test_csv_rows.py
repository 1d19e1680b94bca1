import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.core.csv_rows import MOST_LINES, csv_rows
from fraud_platform.core.outcome import Rejected
from fraud_platform.errors import ConfigurationError

COLUMNS = ("id", "amount", "note")
NEEDED = "The first line must name the columns id,amount,note"


def rows(text: str | bytes) -> list:
    data = text.encode() if isinstance(text, str) else text
    return list(csv_rows(io.BytesIO(data), columns=COLUMNS))


def good(text: str | bytes) -> list:
    return [row for _, row in rows(text) if not isinstance(row, Rejected)]


def refused(text: str | bytes) -> list[tuple[int, str]]:
    return [(number, row.reason) for number, row in rows(text) if isinstance(row, Rejected)]


def test_cells_come_by_column_without_their_blanks_whatever_the_order():
    text = '\ufeffNote , AMOUNT,id,more\r\n\r\n  first note,  "1,000.00", a ,x\r\n,,b,\r\n'
    assert rows(text) == [
        (3, {"id": "a", "amount": "1,000.00", "note": "first note"}),
        (4, {"id": "b", "amount": "", "note": ""}),
    ]


def test_empty_rows_are_skipped_even_those_that_a_spreadsheet_leaves():
    assert [number for number, _ in rows("id,amount,note\n\n,,\na,1,x\n   \n,,,,\nb,2,y")] == [4, 7]


def test_a_quoted_text_may_hold_commas_quotes_and_line_ends():
    text = 'id,amount,note\na,1,"one, ""two""\nthree"\nb,2,y\n'
    assert rows(text) == [
        (2, {"id": "a", "amount": "1", "note": 'one, "two"\nthree'}),
        (4, {"id": "b", "amount": "2", "note": "y"}),
    ]


def test_a_quote_inside_of_a_plain_text_is_a_letter():
    assert good('id,amount,note\na,1,5" pipe\nb,2,y\n')[0]["note"] == '5" pipe'


@pytest.mark.parametrize("bad", ['a,1,"open', '"a,1,x', 'a,"1"2,x', 'a,1,"x" y'])
def test_a_quote_that_is_wrong_costs_its_own_row_and_no_other(bad):
    text = f"id,amount,note\nfirst,1,x\n{bad}\nsecond,2,y\n{bad}\nthird,3,z\n"
    assert [row["id"] for row in good(text)] == ["first", "second", "third"]
    assert refused(text) == [(number, "a quote is not closed, or stands inside of a text") for number in (3, 5)]


def test_a_text_that_goes_on_for_too_many_lines_was_never_closed():
    ends = "\n" * MOST_LINES
    assert good(f'id,amount,note\na,1,"{ends}"\n')[0]["id"] == "a"
    assert refused(f'id,amount,note\na,1,"\n{ends}"\n')[0][0] == 2


def test_a_row_of_another_width_is_refused():
    assert refused("id,amount,note\na,1\nb,1,x,y\nc,1,x\n") == [
        (2, "the row has 2 cells, the header has 3"),
        (3, "the row has 4 cells, the header has 3"),
    ]


def test_a_line_in_another_encoding_is_refused_alone():
    text = b"id,amount,note\na,1,caf\xe9\nb,2,caf\xc3\xa9\n"
    assert refused(text) == [(2, "the line is not UTF-8")]
    assert good(text) == [{"id": "b", "amount": "2", "note": "caf\u00e9"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", f"{NEEDED}; the file is empty."),
        (b"\n \n", f"{NEEDED}; the file is empty."),
        (b"id;amount;note\n", f"{NEEDED}, separated by commas; none of them is there."),
        (b"a,1,x\n", f"{NEEDED}, separated by commas; none of them is there."),
        (b"ID,more\n", f"{NEEDED}, separated by commas; missing: amount, note."),
        (b"id,amount,note,ID\n", "The column id is there more than once."),
        ("id,amount,note\n".encode("utf-16"), f"{NEEDED}; this is no CSV in UTF-8."),
        (b'id,"amount\n', f"{NEEDED}; this is no CSV in UTF-8."),
        (b"id,amount,note\ra,1,x\r", f"{NEEDED}; this is no CSV in UTF-8."),
    ],
)
def test_a_header_that_is_wrong_is_one_sentence_before_any_row(text, says):
    with pytest.raises(ConfigurationError) as refusal:
        csv_rows(io.BytesIO(text), columns=COLUMNS)
    assert str(refusal.value) == says


cells = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00\r")).map(str.strip)


@given(st.lists(st.tuples(cells.filter(bool), cells, cells), max_size=8))
def test_whatever_the_csv_module_writes_is_read_again(written):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(written)
    if all(sum(cell.count("\n") for cell in row) <= MOST_LINES for row in written):
        assert good(text.getvalue()) == [dict(zip(COLUMNS, row, strict=True)) for row in written]


@given(st.binary(max_size=300))
def test_any_bytes_below_a_header_are_rows_or_refused(data):
    numbers = [number for number, _ in rows(b"id,amount,note\n" + data)]
    assert numbers == sorted(set(numbers))
