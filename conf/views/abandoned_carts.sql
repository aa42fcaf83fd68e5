CREATE OR REPLACE VIEW abandoned_carts (
  profile_id COMMENT 'profile',
  last_cart_at COMMENT 'when it last put one of these products into a cart, UTC',
  products COMMENT 'products that lie there: added, not removed again, and no order of the profile since',
  product_ids COMMENT 'these products, sorted',
  may_be_written_to COMMENT 'whether the profile consented to marketing and is not suppressed'
)
COMMENT 'One row per profile whose cart was left for an hour or longer, as of the newest event of the lake.'
AS WITH touched AS (
  SELECT m.profile_id, e.product_id, MAX(STRUCT(e.occurred_at, e.message_id, e.event)) AS latest
  FROM silver.events AS e
  JOIN silver.identity_map AS m ON m.actor_id = e.actor_id
  WHERE e.type = 'track' AND e.event IN ('Product Added', 'Product Removed') AND e.product_id IS NOT NULL AND NOT e.is_bot
  GROUP BY m.profile_id, e.product_id
),
bought AS (SELECT profile_id, MAX(ordered_at) AS ordered_at FROM orders GROUP BY profile_id),
newest AS (SELECT MAX(occurred_at) AS occurred_at FROM silver.events WHERE NOT is_bot)
SELECT
  t.profile_id,
  MAX(t.latest.occurred_at) AS last_cart_at,
  COUNT(*) AS products,
  ARRAY_SORT(COLLECT_LIST(t.product_id)) AS product_ids,
  MAX(COALESCE(a.consent_marketing AND NOT COALESCE(a.is_suppressed, FALSE), FALSE)) AS may_be_written_to
FROM touched AS t
CROSS JOIN newest AS n
LEFT JOIN bought AS b ON b.profile_id = t.profile_id
LEFT JOIN gold.activation AS a ON a.profile_id = t.profile_id
WHERE t.latest.event = 'Product Added' AND (b.ordered_at IS NULL OR t.latest.occurred_at > b.ordered_at)
GROUP BY t.profile_id
HAVING MAX(t.latest.occurred_at) <= MAX(n.occurred_at) - INTERVAL 1 HOUR
