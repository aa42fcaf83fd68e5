CREATE OR REPLACE VIEW revenue_by_day (
  order_date COMMENT 'UTC day of the orders',
  orders COMMENT 'orders of that day',
  customers COMMENT 'profiles that ordered on that day; not to be added up over days',
  new_customers COMMENT 'profiles whose first order it was',
  revenue COMMENT 'what these orders are worth less their refunds, whenever those came, default_currency',
  average_order_value COMMENT 'revenue / orders'
)
COMMENT 'One row per UTC day with an order.'
AS SELECT
  order_date,
  COUNT(*) AS orders,
  COUNT(DISTINCT profile_id) AS customers,
  COUNT_IF(order_number = 1 AND profile_id IS NOT NULL) AS new_customers,
  SUM(revenue) AS revenue,
  CAST(SUM(revenue) / COUNT(*) AS DECIMAL(18, 2)) AS average_order_value
FROM orders
GROUP BY order_date
