CREATE OR REPLACE VIEW orders (
  order_id COMMENT 'order',
  profile_id COMMENT 'profile that ordered; null = the order came a moment ago, and nobody knows yet',
  ordered_at COMMENT 'time of the order, UTC',
  order_date COMMENT 'UTC day of the order',
  order_number COMMENT '1 = the first order of the profile, 2 = its second',
  revenue COMMENT 'what the order is worth less its refunds, default_currency',
  over_refunded COMMENT 'refunded beyond what the order was worth, default_currency',
  line_count COMMENT 'lines of the order; null = none told'
)
COMMENT 'One row per order that was completed and not cancelled.'
AS SELECT
  o.order_id,
  m.profile_id,
  o.ordered_at,
  CAST(o.ordered_at AS DATE) AS order_date,
  ROW_NUMBER() OVER (PARTITION BY m.profile_id ORDER BY o.ordered_at, o.order_id) AS order_number,
  o.revenue,
  o.over_refunded,
  CASE WHEN o.lines IS NOT NULL THEN SIZE(o.lines) END AS line_count
FROM silver.orders AS o
LEFT JOIN silver.identity_map AS m ON m.actor_id = o.actor_id
WHERE o.ordered_at IS NOT NULL
