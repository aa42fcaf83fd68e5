CREATE OR REPLACE VIEW top_products (
  product_id COMMENT 'product',
  name COMMENT 'name told with its latest order line; null = none told',
  views COMMENT 'Product Viewed events about it',
  carts COMMENT 'Product Added events about it',
  orders COMMENT 'orders it is in',
  customers COMMENT 'profiles that ordered it',
  quantity COMMENT 'pieces, kilograms or metres ordered; null = none told',
  revenue COMMENT 'price x quantity of its order lines, refunds not taken off, default_currency; null = none told'
)
COMMENT 'One row per product that was viewed, put into a cart or ordered. ORDER BY revenue DESC for the best ones.'
AS WITH names AS (
  SELECT product_id, MAX(STRUCT(ordered_at, name)).name AS name
  FROM order_lines
  WHERE name IS NOT NULL
  GROUP BY product_id
)
SELECT
  p.product_id,
  MAX(n.name) AS name,
  SUM(p.view_count) AS views,
  SUM(p.cart_count) AS carts,
  SUM(p.order_count) AS orders,
  COUNT_IF(p.order_count > 0) AS customers,
  SUM(p.quantity) AS quantity,
  SUM(p.revenue) AS revenue
FROM gold.product_affinity AS p
LEFT JOIN names AS n ON n.product_id = p.product_id
GROUP BY p.product_id
