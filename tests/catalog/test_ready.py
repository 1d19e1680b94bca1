"""The texts of the ready join, which people may have in their notes and dashboards, word by word."""

import duckdb
import pytest

from fraud_platform.catalog import ready
from fraud_platform.documents import ready as mongo_ready

JOIN = "transactions-with-users"
IN_MONGODB = """\
db.transactions.aggregate([
  {
    $lookup: {
      from: "users",
      localField: "RECEIVER_ID",
      foreignField: "ID",
      as: "receiver_info"
    }
  },
  {
    $lookup: {
      from: "users",
      localField: "SENDER_ID",
      foreignField: "ID",
      as: "sender_info"
    }
  },
  {
    $unwind: "$receiver_info"
  },
  {
    $unwind: "$sender_info"
  },
  {
    $project: {
      TRANSACTION_ID: 1,
      SENDER_BANK_ACCOUNT: 1,
      RECEIVER_BANK_ACCOUNT: 1,
      AMOUNT: 1,
      STATUS: 1,
      EVALUATION: 1,
      TRANSFER_DATE: 1,
      SENDER_BANK: 1,
      SOURCE_PROCESS: 1,
      SENDER_NAME: "$sender_info.NAME",
      SENDER_ADDRESS: "$sender_info.ADDRESS",
      SENDER_EMAIL: "$sender_info.EMAIL",
      RECEIVER_NAME: "$receiver_info.NAME",
      RECEIVER_ADDRESS: "$receiver_info.ADDRESS",
      RECEIVER_EMAIL: "$receiver_info.EMAIL"
    }
  }
])
"""
IN_ATHENA = """\
SELECT
    rft.transaction_id,
    rft.sender_bank_account,
    rft.receiver_bank_account,
    rft.amount,
    rft.status,
    rft.evaluation,
    rft.transfer_date,
    rft.sender_bank,
    rft.source_process,
    sender.name AS sender_name,
    sender.address AS sender_address,
    sender.email AS sender_email,
    receiver.name AS receiver_name,
    receiver.address AS receiver_address,
    receiver.email AS receiver_email
FROM
    raw_fraudulent_transactions_result rft
LEFT JOIN raw_users sender
    ON rft.sender_id = sender.id
LEFT JOIN raw_users receiver
    ON rft.receiver_id = receiver.id;
"""


def test_the_join_in_mongodb_is_the_one_that_people_know() -> None:
    assert mongo_ready.text(JOIN).strip() == IN_MONGODB.strip()


@pytest.mark.parametrize("local", [True, False])
def test_the_join_in_athena_is_the_one_that_people_know(local: bool) -> None:
    assert ready.text(JOIN, local=local).strip() == IN_ATHENA.strip()


def test_a_sum_that_no_decimal_holds_is_an_error_and_never_a_wrong_number() -> None:
    large = "99999999999999999999999999999.999999999"
    text = "SELECT sum(CAST(x AS DECIMAL(38, 9))) FROM (VALUES ($1), ($2)) AS amounts(x)"
    (exact,) = duckdb.execute(text, [large, "-0.000000001"]).fetchone() or ()
    assert str(exact) == "99999999999999999999999999999.999999998"
    with pytest.raises(duckdb.OutOfRangeException):
        duckdb.execute(text, [large, large]).fetchall()
