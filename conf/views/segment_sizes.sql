CREATE OR REPLACE VIEW segment_sizes (
  segment COMMENT 'current segment; none = never ordered, or no segment model yet',
  profiles COMMENT 'profiles in it now',
  orders COMMENT 'their orders',
  revenue COMMENT 'their net revenue, refunds taken off, default_currency',
  mean_purchase_propensity COMMENT 'mean of their purchase_propensity; null = no model yet',
  may_be_written_to COMMENT 'those of them that consented to marketing and are not suppressed'
)
COMMENT 'One row per segment, as of now.'
AS SELECT
  COALESCE(segment, 'none') AS segment,
  COUNT(*) AS profiles,
  SUM(frequency) AS orders,
  SUM(monetary) AS revenue,
  AVG(purchase_propensity) AS mean_purchase_propensity,
  COUNT_IF(consent_marketing AND NOT COALESCE(is_suppressed, FALSE)) AS may_be_written_to
FROM gold.activation
GROUP BY COALESCE(segment, 'none')
