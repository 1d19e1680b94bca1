SELECT
    hit.rule_id,
    hit.criterion,
    decision.action,
    count(*) AS decisions
FROM
    raw_decisions decision
CROSS JOIN
    UNNEST(
        transform(decision.hits, each -> each.rule_id),
        transform(decision.hits, each -> each.criterion)
    ) AS hit (rule_id, criterion)
GROUP BY
    hit.rule_id, hit.criterion, decision.action
ORDER BY
    decisions DESC, hit.rule_id, decision.action
