CREATE OR REPLACE VIEW events_by_day (
  event_date COMMENT 'UTC day of the events',
  type COMMENT 'track, identify, page, screen, group or alias',
  event COMMENT 'name of a track event; null = another type',
  events COMMENT 'accepted events, each once, without those of crawlers',
  profiles COMMENT 'profiles they are of; not to be added up'
)
COMMENT 'One row per UTC day, type and name of event.'
AS SELECT
  CAST(e.occurred_at AS DATE) AS event_date,
  e.type,
  CASE WHEN e.type = 'track' THEN e.event END AS event,
  COUNT(*) AS events,
  COUNT(DISTINCT m.profile_id) AS profiles
FROM silver.events AS e
LEFT JOIN silver.identity_map AS m ON m.actor_id = e.actor_id
WHERE NOT e.is_bot
GROUP BY CAST(e.occurred_at AS DATE), e.type, CASE WHEN e.type = 'track' THEN e.event END
