SELECT
    hit.rule_id,
    hit.criterion,
    decision.action,
    count(*) AS decisions
FROM
    raw_decisions decision
CROSS JOIN
    UNNEST(decision.hits) AS hits (hit)
GROUP BY
    hit.rule_id, hit.criterion, decision.action
ORDER BY
    decisions DESC, hit.rule_id, decision.action
