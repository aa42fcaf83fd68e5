CREATE OR REPLACE VIEW revenue_by_channel (
  order_date COMMENT 'UTC day of the orders',
  channel COMMENT 'channel of the visit in which the order was made; No session = in none, as in a store or through a server',
  orders COMMENT 'orders',
  customers COMMENT 'profiles that ordered; not to be added up over days or channels',
  revenue COMMENT 'what these orders are worth less their refunds, default_currency'
)
COMMENT 'One row per UTC day and channel with an order. Each order is in one row: that of the first visit which told of it.'
AS WITH visits AS (
  SELECT order_id, MIN(STRUCT(started_at, session_id, channel)).channel AS channel
  FROM silver.sessions
  LATERAL VIEW EXPLODE(order_ids) l AS order_id
  GROUP BY order_id
)
SELECT o.order_date, COALESCE(v.channel, 'No session') AS channel, COUNT(*) AS orders, COUNT(DISTINCT o.profile_id) AS customers, SUM(o.revenue) AS revenue
FROM orders AS o
LEFT JOIN visits AS v ON v.order_id = o.order_id
GROUP BY o.order_date, COALESCE(v.channel, 'No session')
