-- One row per id, as in raw_fraudulent_transactions_result. To read only some days, give them where the files are
-- chosen: a condition on the outside, or on the view, is met after all files have been read.
SELECT
    sender_bank,
    dt,
    hr,
    count(*) AS transactions,
    sum(amount) AS amount
FROM (
    SELECT
        sender_bank,
        dt,
        hr,
        amount,
        row_number() OVER (
            PARTITION BY transaction_id ORDER BY kafka_partition DESC, kafka_offset DESC
        ) AS version_number
    FROM (
        SELECT transaction_id, sender_bank, dt, hr, amount, kafka_partition, kafka_offset
        FROM curated_fraudulent_transactions_result
        UNION ALL
        SELECT transaction_id, sender_bank, dt, hr, amount, kafka_partition, kafka_offset
        FROM pending_fraudulent_transactions_result
    ) AS every_row
    -- WHERE dt BETWEEN '2026-01-01' AND '2026-01-07'
) AS versions
WHERE
    version_number = 1
GROUP BY
    sender_bank, dt, hr
ORDER BY
    dt DESC, hr DESC, transactions DESC, sender_bank
