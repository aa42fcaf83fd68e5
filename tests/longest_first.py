"""The test files that take longest, to be begun first: of two processes none then ends with minutes of work for it alone.

By `./spark-submit.sh test -n 2 --dist loadfile --no-loadscope-reorder --durations=80`. A file that is not here takes seconds.
"""

FILES = (
    "tests/end_to_end/test_invariants.py",
    "tests/end_to_end/test_cases.py",
    "tests/lakehouse/profiles/test_change_log.py",
    "tests/lakehouse/profiles/stitching/test_match_pairs.py",
    "tests/lakehouse/training/test_scores.py",
    "tests/lakehouse/queries/test_events.py",
    "tests/lakehouse/profiles/gold/test_households.py",
    "tests/lakehouse/identity/test_identity_step.py",
    "tests/lakehouse/profiles/test_micro_batch.py",
    "tests/lakehouse/profiles/stitching/test_match_pairs_crashes.py",
    "tests/lakehouse/training/test_promotion.py",
    "tests/test_spark_submit.py",
    "tests/test_types.py",
    "tests/serving/test_workers.py",
    "tests/lakehouse/online/test_online_step.py",
    "tests/lakehouse/rules/test_parity.py",
    "tests/lakehouse/profiles/test_gold_writes.py",
    "tests/lakehouse/lake/test_delta.py",
    "tests/lakehouse/kafka/test_broker.py",
    "tests/lakehouse/kafka/test_secured_broker.py",
    "tests/lakehouse/learning/test_lifetime.py",
    "tests/test_notebooks.py",
    "tests/lakehouse/profiles/test_rollup.py",
    "tests/serving/test_senders.py",
    "tests/lakehouse/models/test_publish.py",
    "tests/lakehouse/online/test_store.py",
    "tests/serving/test_app.py",
    "tests/lakehouse/training/test_recommender.py",
    "tests/lakehouse/commands/test_whois.py",
    "tests/lakehouse/commands/test_supervisor.py",
    "tests/lakehouse/training/test_segments.py",
    "tests/serving/background/test_main.py",
    "tests/lakehouse/queries/test_decision_log.py",
    "tests/streaming/test_decisions.py",
    "tests/serving/test_scripted_visitor.py",
    "tests/serving/background/test_rule_actions.py",
    "tests/lakehouse/commands/test_identity.py",
    "tests/serving/api/test_readiness.py",
    "tests/lakehouse/demo/datasets/test_completejourney.py",
    "tests/lakehouse/identity/test_segment_calls.py",
)
PLACE = {file: place for place, file in enumerate(FILES)}


def place_of(file: str) -> int:
    return PLACE.get(file, len(FILES))
