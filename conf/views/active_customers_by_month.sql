CREATE OR REPLACE VIEW active_customers_by_month (
  month COMMENT 'first day of the UTC month',
  active_profiles COMMENT 'profiles with an event of any kind in the month',
  new_profiles COMMENT 'those of them whose first event it was',
  buyers COMMENT 'those of them that ordered in the month'
)
COMMENT 'One row per UTC month with an event.'
AS WITH active AS (
  SELECT DISTINCT CAST(TRUNC(d.activity_date, 'MONTH') AS DATE) AS month, m.profile_id
  FROM silver.activity_daily AS d
  JOIN silver.identity_map AS m ON m.actor_id = d.actor_id
),
firsts AS (SELECT profile_id, MIN(month) AS month FROM active GROUP BY profile_id),
bought AS (SELECT DISTINCT CAST(TRUNC(order_date, 'MONTH') AS DATE) AS month, profile_id FROM orders)
SELECT a.month, COUNT(*) AS active_profiles, COUNT_IF(a.month = f.month) AS new_profiles, COUNT(b.profile_id) AS buyers
FROM active AS a
JOIN firsts AS f ON f.profile_id = a.profile_id
LEFT JOIN bought AS b ON b.profile_id = a.profile_id AND b.month = a.month
GROUP BY a.month
