CREATE OR REPLACE VIEW funnel_by_day (
  activity_date COMMENT 'UTC day',
  active_profiles COMMENT 'profiles with an event of any kind on that day; not to be added up over days',
  viewers COMMENT 'those of them that viewed a product',
  carters COMMENT 'those of them that added a product to a cart',
  buyers COMMENT 'those of them that completed an order, also one that was cancelled later'
)
COMMENT 'One row per UTC day with an event.'
AS WITH days AS (
  SELECT
    d.activity_date,
    m.profile_id,
    SUM(d.view_count) AS views,
    SUM(d.cart_count) AS carts,
    SUM(d.order_count) AS orders
  FROM silver.activity_daily AS d
  JOIN silver.identity_map AS m ON m.actor_id = d.actor_id
  GROUP BY d.activity_date, m.profile_id
)
SELECT activity_date, COUNT(*) AS active_profiles, COUNT_IF(views > 0) AS viewers, COUNT_IF(carts > 0) AS carters, COUNT_IF(orders > 0) AS buyers
FROM days
GROUP BY activity_date
