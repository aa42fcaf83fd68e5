CREATE OR REPLACE VIEW customer_360 (
  profile_id COMMENT 'profile',
  is_known COMMENT 'whether a user id is known; false = anonymous',
  first_seen_at COMMENT 'time of the first event, UTC',
  last_seen_at COMMENT 'time of the latest event, UTC',
  events COMMENT 'events of any kind',
  views COMMENT 'Product Viewed events',
  carts COMMENT 'Product Added events',
  sessions COMMENT 'visits of all browsers and devices; 0 = none',
  first_channel COMMENT 'channel of the first visit; null = none',
  last_channel COMMENT 'channel of the latest visit; null = none',
  first_order_at COMMENT 'time of the first order, UTC; null = never ordered',
  last_order_at COMMENT 'time of the latest order, UTC; null = never ordered',
  orders COMMENT 'distinct orders; 0 = never ordered',
  revenue COMMENT 'net revenue, refunds taken off, default_currency; 0 = never ordered',
  favourite_product_id COMMENT 'product with the highest affinity today; null = none viewed, carried or ordered',
  segment COMMENT 'current segment; null = never ordered, or no segment model yet',
  purchase_propensity COMMENT 'probability of an order within 30 days, or what scores.horizon_days says; null = no model yet',
  churn_risk COMMENT 'probability of leaving; null = no model yet',
  clv COMMENT 'value of the orders expected in the year to come, default_currency; null = no model yet, or no order',
  next_best_action COMMENT 'what to do next, by rule; none = nothing',
  loyalty_tier COMMENT 'latest loyalty tier told; null = none',
  consent_analytics COMMENT 'latest word; null = never asked',
  consent_personalization COMMENT 'latest word; null = never asked',
  consent_marketing COMMENT 'latest word; null = never asked',
  is_suppressed COMMENT 'true = to be left alone; null = never said',
  updated_at COMMENT 'when the row was written last, UTC'
)
COMMENT 'One row per profile, whether it ordered or not: all that is known of it, without personal data.'
AS WITH visits AS (
  SELECT
    m.profile_id,
    COUNT(*) AS sessions,
    MIN(STRUCT(s.started_at, s.session_id, s.channel)).channel AS first_channel,
    MAX(STRUCT(s.started_at, s.session_id, s.channel)).channel AS last_channel
  FROM silver.sessions AS s
  JOIN silver.identity_map AS m ON m.actor_id = s.actor_id
  GROUP BY m.profile_id
),
favourites AS (
  -- An affinity is as of its last touch and halves every 30 days, so the logarithms are compared as of one instant.
  SELECT
    profile_id,
    MAX(STRUCT(LOG2(affinity) + UNIX_MICROS(last_touch_at) / (30 * 86400 * 1e6) AS strength, product_id)).product_id AS product_id
  FROM gold.product_affinity
  WHERE affinity > 0
  GROUP BY profile_id
)
SELECT
  a.profile_id,
  SIZE(a.user_ids) > 0 AS is_known,
  a.first_seen_at,
  a.last_seen_at,
  a.event_count,
  a.view_count,
  a.cart_count,
  COALESCE(v.sessions, 0) AS sessions,
  v.first_channel,
  v.last_channel,
  r.first_order_at,
  a.last_order_at,
  a.frequency,
  a.monetary,
  f.product_id,
  a.segment,
  a.purchase_propensity,
  a.churn_risk,
  a.clv,
  a.next_best_action,
  a.loyalty_tier,
  a.consent_analytics,
  a.consent_personalization,
  a.consent_marketing,
  a.is_suppressed,
  a.updated_at
FROM gold.activation AS a
LEFT JOIN gold.rfm AS r ON r.profile_id = a.profile_id
LEFT JOIN visits AS v ON v.profile_id = a.profile_id
LEFT JOIN favourites AS f ON f.profile_id = a.profile_id
