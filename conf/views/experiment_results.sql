CREATE OR REPLACE VIEW experiment_results (
  experiment COMMENT 'experiment',
  metric COMMENT 'metric',
  role COMMENT 'primary, secondary or guardrail; null = written before there were roles',
  arm COMMENT 'arm compared',
  baseline COMMENT 'arm it is compared with',
  units COMMENT 'people exposed to the arm',
  baseline_units COMMENT 'people exposed to the baseline',
  mean COMMENT 'of the arm, per person; null = not known',
  baseline_mean COMMENT 'of the baseline, per person; null = not known',
  difference COMMENT 'arm less baseline; null = the experiment is blocked',
  relative COMMENT 'difference over the mean of the baseline; null = that is 0, or blocked',
  interval_low COMMENT 'lower end of the always-valid 95 % interval of the difference',
  interval_high COMMENT 'upper end of it',
  p_adjusted COMMENT 'to be looked at once, at the end; after Holm over the comparisons of the role',
  p_sequential_adjusted COMMENT 'may be looked at at any time; after Holm over the comparisons of the role',
  guardrail COMMENT 'harm, no_harm or unclear; null = it is none',
  blocked_because COMMENT 'why nothing can be said; null = not blocked',
  computed_at COMMENT 'time of the run of batch/experiments.py, UTC'
)
COMMENT 'One row per experiment, metric and arm other than the baseline, as of the last run of batch/experiments.py.'
AS SELECT
  experiment, metric, role, arm, baseline, units, baseline_units, mean, baseline_mean, difference, relative,
  interval_low, interval_high, p_adjusted, p_sequential_adjusted, guardrail, blocked_because, computed_at
FROM gold.experiment_results
