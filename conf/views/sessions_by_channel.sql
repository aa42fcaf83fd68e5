CREATE OR REPLACE VIEW sessions_by_channel (
  session_date COMMENT 'UTC day on which the visits began',
  channel COMMENT 'default channel group, by how the visit began; Direct = nothing told',
  sessions COMMENT 'visits',
  visitors COMMENT 'browsers and devices; not to be added up over days or channels',
  page_views COMMENT 'page and screen events',
  mean_duration_seconds COMMENT 'mean time from the first event of a visit to its last, seconds',
  sessions_with_order COMMENT 'visits in which an order was completed',
  revenue_before_refunds COMMENT 'value of the orders completed in them, refunds not taken off, default_currency'
)
COMMENT 'One row per UTC day and channel with a visit.'
AS SELECT
  CAST(started_at AS DATE) AS session_date,
  channel,
  COUNT(*) AS sessions,
  COUNT(DISTINCT visitor_id) AS visitors,
  SUM(page_view_count) AS page_views,
  AVG(duration_seconds) AS mean_duration_seconds,
  COUNT_IF(SIZE(order_ids) > 0) AS sessions_with_order,
  SUM(revenue) AS revenue_before_refunds
FROM silver.sessions
GROUP BY CAST(started_at AS DATE), channel
