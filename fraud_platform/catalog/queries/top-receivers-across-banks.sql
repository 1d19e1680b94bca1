SELECT
    rft.receiver_id,
    receiver.name AS receiver_name,
    count(DISTINCT rft.sender_bank) AS banks,
    count(*) AS transactions,
    sum(rft.amount) AS amount
FROM
    raw_fraudulent_transactions_result rft
LEFT JOIN raw_users receiver
    ON rft.receiver_id = receiver.id
GROUP BY
    rft.receiver_id, receiver.name
ORDER BY
    banks DESC, transactions DESC, amount DESC, rft.receiver_id
LIMIT 20
