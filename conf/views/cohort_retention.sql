CREATE OR REPLACE VIEW cohort_retention (
  cohort_month COMMENT 'first day of the UTC month of the first order',
  months_since COMMENT 'months from then; 0 = the month of the first order',
  cohort_size COMMENT 'customers of the cohort',
  customers COMMENT 'those of them that ordered in that month',
  retention COMMENT 'customers / cohort_size, 0 to 1',
  revenue COMMENT 'what their orders of that month are worth less refunds, default_currency'
)
COMMENT 'One row per cohort of customers and month in which one of them ordered.'
AS WITH cohorts AS (
  SELECT profile_id, CAST(TRUNC(MIN(order_date), 'MONTH') AS DATE) AS cohort_month
  FROM orders
  WHERE profile_id IS NOT NULL
  GROUP BY profile_id
),
sizes AS (SELECT cohort_month, COUNT(*) AS cohort_size FROM cohorts GROUP BY cohort_month)
SELECT
  c.cohort_month,
  CAST(MONTHS_BETWEEN(TRUNC(o.order_date, 'MONTH'), c.cohort_month) AS INT) AS months_since,
  s.cohort_size,
  COUNT(DISTINCT o.profile_id) AS customers,
  COUNT(DISTINCT o.profile_id) / s.cohort_size AS retention,
  SUM(o.revenue) AS revenue
FROM orders AS o
JOIN cohorts AS c ON c.profile_id = o.profile_id
JOIN sizes AS s ON s.cohort_month = c.cohort_month
GROUP BY c.cohort_month, CAST(MONTHS_BETWEEN(TRUNC(o.order_date, 'MONTH'), c.cohort_month) AS INT), s.cohort_size
