CREATE OR REPLACE VIEW acquisition_by_channel (
  month COMMENT 'first day of the UTC month in which the profiles were first seen',
  channel COMMENT 'channel of their first visit; No session = they have none',
  profiles COMMENT 'profiles',
  customers COMMENT 'those of them that ordered since',
  orders COMMENT 'their orders until now',
  revenue COMMENT 'their net revenue until now, refunds taken off, default_currency'
)
COMMENT 'One row per UTC month and channel by which a profile came first.'
AS WITH firsts AS (
  SELECT m.profile_id, MIN(STRUCT(s.started_at, s.session_id, s.channel)).channel AS channel
  FROM silver.sessions AS s
  JOIN silver.identity_map AS m ON m.actor_id = s.actor_id
  GROUP BY m.profile_id
)
SELECT
  CAST(TRUNC(a.first_seen_at, 'MONTH') AS DATE) AS month,
  COALESCE(f.channel, 'No session') AS channel,
  COUNT(*) AS profiles,
  COUNT_IF(a.frequency > 0) AS customers,
  SUM(a.frequency) AS orders,
  SUM(a.monetary) AS revenue
FROM gold.activation AS a
LEFT JOIN firsts AS f ON f.profile_id = a.profile_id
GROUP BY CAST(TRUNC(a.first_seen_at, 'MONTH') AS DATE), COALESCE(f.channel, 'No session')
