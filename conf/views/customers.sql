CREATE OR REPLACE VIEW customers (
  profile_id COMMENT 'profile',
  first_order_at COMMENT 'time of the first order, UTC',
  last_order_at COMMENT 'time of the latest order, UTC',
  orders COMMENT 'distinct orders',
  revenue COMMENT 'net revenue of those orders, refunds taken off, default_currency',
  average_order_value COMMENT 'revenue / orders',
  r_score COMMENT 'quintile of last_order_at, 5 = latest; null = no segment model yet',
  f_score COMMENT 'quintile of orders, 5 = most; null = no segment model yet',
  m_score COMMENT 'quintile of revenue, 5 = most; null = no segment model yet',
  segment COMMENT 'current segment; null = no segment model yet',
  purchase_propensity COMMENT 'probability of an order within 30 days, or what scores.horizon_days says; null = no model yet',
  loyalty_tier COMMENT 'latest loyalty tier told; null = none'
)
COMMENT 'One row per customer: a profile with an order.'
AS SELECT
  r.profile_id,
  r.first_order_at,
  r.last_order_at,
  r.frequency,
  r.monetary,
  CAST(r.monetary / r.frequency AS DECIMAL(18, 2)) AS average_order_value,
  r.r_score,
  r.f_score,
  r.m_score,
  a.segment,
  a.purchase_propensity,
  a.loyalty_tier
FROM gold.rfm AS r
LEFT JOIN gold.activation AS a ON a.profile_id = r.profile_id
