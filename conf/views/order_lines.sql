CREATE OR REPLACE VIEW order_lines (
  order_id COMMENT 'order',
  line_number COMMENT 'place of the line in the order, from 1',
  profile_id COMMENT 'profile that ordered; null = nobody knows yet',
  ordered_at COMMENT 'time of the order, UTC',
  product_id COMMENT 'product; null = none told',
  name COMMENT 'name of the product as told with this line; null = none told',
  quantity COMMENT 'pieces, kilograms or metres; null = none told',
  price COMMENT 'of one piece, in the currency of the order; null = none told',
  amount COMMENT 'price x quantity, refunds not taken off; null = not known, or beyond the type'
)
COMMENT 'One row per line of an order that was completed and not cancelled.'
AS SELECT
  o.order_id,
  l.place + 1 AS line_number,
  m.profile_id,
  o.ordered_at,
  l.line.product_id,
  l.line.name,
  l.line.quantity,
  l.line.price,
  TRY_CAST(TRY_MULTIPLY(l.line.quantity, l.line.price) AS DECIMAL(18, 2)) AS amount
FROM silver.orders AS o
LEFT JOIN silver.identity_map AS m ON m.actor_id = o.actor_id
LATERAL VIEW POSEXPLODE(o.lines) l AS place, line
WHERE o.ordered_at IS NOT NULL
