SELECT
    sender_bank,
    dt,
    hr,
    count(*) AS transactions,
    sum(amount) AS amount
FROM
    raw_fraudulent_transactions_result
GROUP BY
    sender_bank, dt, hr
ORDER BY
    dt DESC, hr DESC, transactions DESC, sender_bank
