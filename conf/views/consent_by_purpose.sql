CREATE OR REPLACE VIEW consent_by_purpose (
  purpose COMMENT 'analytics, personalization or marketing',
  allowed COMMENT 'profiles whose latest word is yes',
  refused COMMENT 'profiles whose latest word is no',
  never_asked COMMENT 'profiles that were never asked'
)
COMMENT 'One row per purpose, as of now.'
AS SELECT purpose, COUNT_IF(word) AS allowed, COUNT_IF(NOT word) AS refused, COUNT_IF(word IS NULL) AS never_asked
FROM gold.activation
LATERAL VIEW STACK(
  3,
  'analytics', consent_analytics,
  'personalization', consent_personalization,
  'marketing', consent_marketing
) l AS purpose, word
GROUP BY purpose
