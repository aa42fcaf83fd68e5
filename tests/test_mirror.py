"""Tests mirror the code: what lakehouse/a/b.py does is tested in tests/lakehouse/a/test_b.py, or in the file named here.

A module that holds no function holds no logic: constants, contracts and declarations are tested where they are used.
"""

import ast
from pathlib import Path

import pytest

from tests import longest_first
from tests.purity import PROJECT, Function

FOLDERS = ("lakehouse", "serving", "streaming", "batch", "ml")

# test file -> modules it covers. They are tested through the one interface that has them, or as one thing. A module with a test
# file of its own has no place here, and neither has one that is gone.
COVERED: dict[str, tuple[str, ...]] = {
    "tests/batch/test_accept_loss.py": ("lakehouse/queries/lost_records.py",),
    "tests/batch/test_experiments.py": (
        "lakehouse/experiments/arm_estimates.py",
        "lakehouse/experiments/log_file.py",
        "lakehouse/experiments/readout.py",
        "lakehouse/experiments/readout_report.py",
        "lakehouse/targeting/columns.py",
    ),
    "tests/batch/test_experiments_off_policy.py": (
        "lakehouse/experiments/new_policies.py",
        "lakehouse/experiments/off_policy_report.py",
        "lakehouse/experiments/policy_log.py",
    ),
    "tests/batch/test_export.py": ("lakehouse/exports/exporting.py",),
    "tests/batch/test_maintenance.py": ("lakehouse/catalog.py",),
    "tests/end_to_end/test_cases.py": ("batch/reconcile.py",),
    "tests/end_to_end/test_invariants.py": (
        "batch/rebuild.py",
        "lakehouse/profiles/check.py",
        "lakehouse/profiles/rebuild.py",
        "lakehouse/profiles/repair.py",
        "lakehouse/profiles/stitching/rule_changes.py",
        "streaming/__main__.py",
        "streaming/events.py",
        "streaming/profiles.py",
    ),
    "tests/batch/test_import_records.py": ("lakehouse/imports/sending.py", "lakehouse/kafka/unread.py"),
    "tests/lakehouse/adoption/test_adopt.py": (
        "lakehouse/adoption/co_occurrence.py",
        "lakehouse/adoption/column_names.py",
        "lakehouse/adoption/declared.py",
        "lakehouse/adoption/draft.py",
        "lakehouse/adoption/file_layout.py",
        "lakehouse/adoption/kept.py",
        "lakehouse/adoption/kinds.py",
        "lakehouse/adoption/known_sources.py",
        "lakehouse/adoption/money.py",
        "lakehouse/adoption/order_key.py",
        "lakehouse/adoption/orders.py",
        "lakehouse/adoption/report.py",
        "lakehouse/adoption/table.py",
        "lakehouse/adoption/times.py",
        "lakehouse/adoption/worth.py",
    ),
    "tests/lakehouse/commands/test_sources.py": ("lakehouse/sources/examination.py",),
    "tests/lakehouse/sources/test_history.py": (
        "lakehouse/sources/digests.py",
        "lakehouse/sources/drafts.py",
        "lakehouse/sources/known_messages.py",
        "lakehouse/sources/message_ids.py",
        "lakehouse/sources/record.py",
    ),
    "tests/lakehouse/imports/test_table_import.py": ("lakehouse/imports/reading.py",),
    "tests/lakehouse/queries/test_quarantine_replay.py": ("lakehouse/commands/quarantine.py",),
    "tests/lakehouse/sources/test_mapping.py": (
        "lakehouse/sources/declaration.py",
        "lakehouse/sources/expressions.py",
    ),
    "tests/lakehouse/sources/test_record_files.py": (
        "lakehouse/sources/json_values.py",
        "lakehouse/sources/parquet.py",
        "lakehouse/sources/tables_of_text.py",
    ),
    "tests/lakehouse/actions/test_pace.py": ("lakehouse/config/declarations.py",),
    "tests/lakehouse/actions/test_webhook.py": (
        "lakehouse/actions/http_call.py",
        "lakehouse/actions/private_addresses.py",
    ),
    "tests/lakehouse/actions/test_worker.py": (
        "lakehouse/actions/action.py",
        "lakehouse/actions/deliverer.py",
        "lakehouse/actions/delivery.py",
        "lakehouse/actions/performers.py",
    ),
    "tests/lakehouse/maintenance/test_upkeep.py": (
        "lakehouse/maintenance/local_table.py",
        "lakehouse/maintenance/spark_table.py",
        "lakehouse/maintenance/tended.py",
    ),
    "tests/lakehouse/commands/test_identity.py": (
        "lakehouse/identity/override_store.py",
        "lakehouse/lake/folders.py",
    ),
    "tests/lakehouse/commands/test_sql_server.py": (
        "lakehouse/bi/read_only.py",
        "lakehouse/bi/registered.py",
        "lakehouse/bi/server.py",
    ),
    "tests/lakehouse/commands/test_supervisor.py": ("lakehouse/commands/parts.py",),
    "tests/lakehouse/commands/test_whois.py": ("lakehouse/identity/evidence.py",),
    "tests/lakehouse/consent/test_ledger.py": (
        "lakehouse/commands/consent.py",
        "lakehouse/consent/rulings.py",
        "lakehouse/consent/torn_profiles.py",
        "lakehouse/queries/ledger_history.py",
    ),
    "tests/lakehouse/config/test_settings.py": (
        "lakehouse/config/limits.py",
        "lakehouse/config/overlay.py",
        "lakehouse/config/sections.py",
    ),
    "tests/lakehouse/decisions/test_decide.py": (
        "lakehouse/decisions/offers.py",
        "lakehouse/decisions/trace.py",
    ),
    "tests/lakehouse/demo/report/test_charts.py": (
        "lakehouse/demo/report/plots.py",
        "lakehouse/demo/report/svg.py",
    ),
    "tests/lakehouse/demo/report/test_facts.py": (
        "lakehouse/demo/report/customer_facts.py",
        "lakehouse/demo/report/event_facts.py",
        "lakehouse/demo/report/identity_facts.py",
    ),
    "tests/lakehouse/demo/report/test_identity_graph.py": ("lakehouse/demo/report/identity_examples.py",),
    "tests/lakehouse/demo/report/test_page.py": ("lakehouse/demo/report/html.py",),
    "tests/lakehouse/demo/report/test_sections.py": (
        "lakehouse/demo/report/sections_customers.py",
        "lakehouse/demo/report/sections_events.py",
        "lakehouse/demo/report/sections_identity.py",
        "lakehouse/demo/report/sections_run.py",
        "lakehouse/demo/report/sections_scores.py",
        "lakehouse/demo/report/trainings.py",
    ),
    "tests/lakehouse/demo/shop/test_simulator.py": (
        "lakehouse/demo/shop/browsing.py",
        "lakehouse/demo/shop/orders.py",
        "lakehouse/demo/shop/stay.py",
    ),
    "tests/lakehouse/demo/shop/test_visits.py": ("lakehouse/demo/shop/devices.py",),
    "tests/lakehouse/events/enrichment/test_traffic.py": ("lakehouse/events/enrichment/event_enrichment.py",),
    "tests/lakehouse/sessions/test_session_step.py": (
        "lakehouse/sessions/rebuilt_sessions.py",
        "lakehouse/sessions/table.py",
        "lakehouse/sessions/visit_index.py",
        "lakehouse/sessions/visits.py",
    ),
    "tests/lakehouse/events/test_tokens.py": ("lakehouse/spark/arrow_function.py",),
    "tests/lakehouse/events/test_parse.py": (
        "lakehouse/events/amounts.py",
        "lakehouse/events/commerce.py",
        "lakehouse/events/figures.py",
        "lakehouse/events/document.py",
        "lakehouse/events/fields.py",
        "lakehouse/events/privacy.py",
        "lakehouse/events/schema.py",
        "lakehouse/events/sender.py",
    ),
    "tests/lakehouse/events/test_own_fields.py": (
        "lakehouse/events/json_text.py",
        "lakehouse/events/suspicious_objects.py",
    ),
    "tests/lakehouse/events/test_event_row.py": ("lakehouse/events/event_rows.py", "lakehouse/events/event_verdict.py"),
    "tests/lakehouse/lane/reading/test_read.py": (
        "lakehouse/lane/reading/amount_verdict.py",
        "lakehouse/lane/reading/clock.py",
        "lakehouse/lane/reading/commerce.py",
        "lakehouse/lane/reading/document.py",
        "lakehouse/lane/reading/places.py",
        "lakehouse/lane/reading/verdict.py",
    ),
    "tests/lakehouse/experiments/test_definitions.py": (
        "lakehouse/experiments/assignment.py",
        "lakehouse/experiments/metrics.py",
    ),
    "tests/lakehouse/experiments/test_lake_readout.py": (
        "lakehouse/commands/experiments.py",
        "lakehouse/experiments/exposure_log.py",
        "lakehouse/experiments/lake_history.py",
        "lakehouse/experiments/metric_sources.py",
    ),
    "tests/lakehouse/experiments/test_statistics.py": (
        "lakehouse/experiments/bayesian.py",
        "lakehouse/experiments/fixed.py",
        "lakehouse/experiments/multiplicity.py",
        "lakehouse/experiments/sample_ratio.py",
        "lakehouse/experiments/sample_statistics.py",
        "lakehouse/experiments/sequential.py",
    ),
    "tests/lakehouse/exports/places/test_files.py": ("lakehouse/exports/whole_run.py",),
    "tests/lakehouse/exports/test_run.py": (
        "lakehouse/exports/batch_run.py",
        "lakehouse/exports/places/place.py",
        "lakehouse/exports/places/postgres.py",
        "lakehouse/exports/places/table.py",
        "lakehouse/exports/plan.py",
        "lakehouse/exports/source.py",
        "lakehouse/tables/exports.py",
    ),
    "tests/lakehouse/exports/test_ledger.py": ("lakehouse/exports/ledger_tables.py",),
    "tests/lakehouse/exports/test_continuous.py": ("lakehouse/exports/meters.py", "streaming/exports.py"),
    "tests/lakehouse/exports/test_shapes.py": (
        "lakehouse/exports/shapes/braze.py",
        "lakehouse/exports/shapes/customerio.py",
        "lakehouse/exports/shapes/google.py",
        "lakehouse/exports/shapes/hashing.py",
        "lakehouse/exports/shapes/hubspot.py",
        "lakehouse/exports/shapes/klaviyo.py",
        "lakehouse/exports/shapes/meta.py",
        "lakehouse/exports/shapes/plain.py",
        "lakehouse/exports/shapes/shape.py",
    ),
    "tests/lakehouse/identity/test_identity_step.py": (
        "lakehouse/identity/stored_hubs.py",
        "lakehouse/profiles/stitching/identity_tables.py",
        "lakehouse/profiles/stitching/resolution.py",
    ),
    "tests/lakehouse/identity/test_oracles.py": ("lakehouse/identity/contradictions.py",),
    "tests/lakehouse/identity/test_touched_components.py": ("lakehouse/identity/reach.py",),
    "tests/lakehouse/kafka/test_broker.py": (
        "lakehouse/jars.py",
        "lakehouse/kafka/server.py",
    ),
    "tests/lakehouse/kafka/test_secured_broker.py": ("lakehouse/kafka/admin.py",),
    "tests/lakehouse/lake/test_audited_reads.py": ("lakehouse/lake/profile_read.py",),
    "tests/lakehouse/lake/test_checkpoint.py": ("lakehouse/lake/hadoop.py",),
    "tests/lakehouse/lake/test_delta.py": ("lakehouse/lake/delta_rs.py", "lakehouse/lake/transaction.py"),
    "tests/lakehouse/lake/test_table_index.py": ("lakehouse/lake/local_index.py",),
    "tests/lakehouse/matching/test_normalise.py": ("lakehouse/matching/scripts.py",),
    "tests/lakehouse/models/test_score_model.py": ("lakehouse/models/trees.py",),
    "tests/lakehouse/schemas/test_known_schemas.py": (
        "lakehouse/schemas/kept_schemas.py",
        "lakehouse/schemas/schema.py",
    ),
    "tests/lakehouse/sources/test_topic_sources.py": ("lakehouse/queries/declarations.py",),
    "tests/lakehouse/feature_book/test_book.py": (
        "lakehouse/feature_book/declaration.py",
        "lakehouse/feature_book/vocabulary.py",
    ),
    "tests/lakehouse/queries/test_feature_history.py": ("batch/fill_features.py",),
    "tests/lakehouse/features/test_windows.py": (
        "lakehouse/features/definition.py",
        "lakehouse/features/facts.py",
    ),
    "tests/lakehouse/audiences/test_book.py": ("lakehouse/audiences/vocabulary.py",),
    "tests/lakehouse/commands/test_audiences.py": ("lakehouse/audiences/preview.py",),
    "tests/lakehouse/profiles/gold/test_audiences.py": ("lakehouse/audiences/kept_audiences.py",),
    "tests/lakehouse/profiles/gold/test_features.py": ("lakehouse/feature_book/kept_features.py",),
    "tests/lakehouse/profiles/silver/test_feature_days.py": ("lakehouse/profiles/silver/stored_sums.py",),
    "tests/lakehouse/training/test_feature_set.py": ("ml/feature_set.py",),
    "tests/lakehouse/uplift/test_contenders.py": ("lakehouse/targeting/response_model.py",),
    "tests/lakehouse/uplift/test_learned_encoding.py": ("lakehouse/targeting/encoding.py",),
    "tests/lakehouse/uplift/test_tree_growth.py": ("lakehouse/targeting/trees.py",),
    "tests/lakehouse/uplift/test_study.py": (
        "lakehouse/uplift/report.py",
        "lakehouse/uplift/targeted.py",
    ),
    "tests/lakehouse/moments/test_detector.py": ("lakehouse/moments/state_store.py",),
    "tests/lakehouse/moments/test_transitions.py": (
        "lakehouse/moments/episodes.py",
        "lakehouse/moments/state.py",
    ),
    "tests/lakehouse/online/test_online_step.py": (
        "lakehouse/identity/owners.py",
        "lakehouse/online/content.py",
        "lakehouse/online/store_state.py",
    ),
    "tests/lakehouse/online/test_recent_behaviour.py": ("lakehouse/online/recent_entries.py",),
    "tests/lakehouse/online/test_store.py": (
        "lakehouse/online/engines.py",
        "lakehouse/online/lmdb_layout.py",
        "lakehouse/online/lmdb_store.py",
        "lakehouse/online/lmdb_timelines.py",
        "lakehouse/online/redis_cluster.py",
        "lakehouse/online/redis_store.py",
    ),
    "tests/lakehouse/people/test_erasure.py": (
        "lakehouse/lake/turns.py",
        "lakehouse/people/deletion.py",
        "lakehouse/people/dossier.py",
        "lakehouse/people/held_back.py",
        "lakehouse/people/others.py",
        "lakehouse/people/page.py",
        "lakehouse/people/person.py",
        "lakehouse/people/requests.py",
        "lakehouse/people/traces.py",
    ),
    "tests/lakehouse/profiles/gold/test_order_balance.py": ("batch/order_balance.py",),
    "tests/lakehouse/profiles/gold/test_scores.py": ("lakehouse/profiles/declared_scores.py",),
    "tests/lakehouse/profiles/stitching/test_match_pairs.py": (
        "lakehouse/matching/refresh.py",
        "lakehouse/profiles/differences.py",
        "lakehouse/profiles/stitching/graph_facts.py",
        "lakehouse/profiles/stitching/rebuilt_identity.py",
    ),
    "tests/lakehouse/models/test_placing.py": ("lakehouse/models/prospect_segments.py",),
    "tests/lakehouse/profiles/test_declaration.py": (
        "lakehouse/profiles/derivation.py",
        "lakehouse/profiles/tables.py",
    ),
    "tests/lakehouse/profiles/test_due_rows.py": ("lakehouse/profiles/lake_clock.py",),
    "tests/lakehouse/profiles/test_micro_batch.py": (
        "lakehouse/events/money.py",
        "lakehouse/profiles/batch_record.py",
        "lakehouse/profiles/followers.py",
        "lakehouse/profiles/gold/activation.py",
        "lakehouse/profiles/gold/rfm.py",
        "lakehouse/profiles/gold/segments.py",
        "lakehouse/profiles/new_leaves.py",
        "lakehouse/profiles/touched_profiles.py",
    ),
    "tests/lakehouse/queries/test_bronze_events.py": ("streaming/bronze_events.py",),
    "tests/lakehouse/queries/test_decision_log.py": (
        "batch/decision_log.py",
        "lakehouse/experiments/result_rows.py",
    ),
    "tests/lakehouse/queries/test_own_fields_history.py": ("batch/own_fields.py",),
    "tests/lakehouse/queries/test_events.py": (
        "lakehouse/events/dedupe.py",
        "lakehouse/queries/events_batch.py",
        "lakehouse/queries/known_records.py",
        "lakehouse/queries/silver_writes.py",
        "lakehouse/queries/unfinished.py",
        "streaming/silver_events.py",
    ),
    "tests/lakehouse/quality/test_counts.py": ("lakehouse/tables/expectation.py",),
    "tests/lakehouse/quality/test_data_quality.py": ("lakehouse/quality/windows.py",),
    "tests/lakehouse/recommend/test_contest.py": (
        "lakehouse/recommend/ease.py",
        "lakehouse/recommend/holdout.py",
    ),
    "tests/lakehouse/recommend/test_training.py": ("lakehouse/recommend/fold_in.py",),
    "tests/lakehouse/recommend/test_recommender.py": (
        "lakehouse/recommend/model.py",
        "lakehouse/recommend/scoring.py",
    ),
    "tests/lakehouse/rules/test_parity.py": (
        "lakehouse/rules/column.py",
        "lakehouse/rules/evaluate.py",
        "lakehouse/rules/frame.py",
        "lakehouse/rules/literals.py",
        "lakehouse/rules/operators.py",
        "lakehouse/rules/vocabulary.py",
    ),
    "tests/lakehouse/rules/test_parse.py": (
        "lakehouse/rules/expression.py",
        "lakehouse/rules/signatures.py",
    ),
    "tests/lakehouse/spark/test_session.py": ("lakehouse/spark/properties.py",),
    "tests/lakehouse/tables/test_lineage.py": ("lakehouse/tables/contract.py",),
    "tests/lakehouse/training/test_drift_watch.py": ("lakehouse/training/known_profiles.py", "ml/drift.py"),
    "tests/lakehouse/training/test_fairness_audit.py": ("lakehouse/training/fairness_correction.py", "ml/fairness.py"),
    "tests/lakehouse/training/test_lifetime_value.py": ("ml/train_lifetime_value.py",),
    "tests/lakehouse/training/test_recommender.py": ("ml/train_recommender.py",),
    "tests/lakehouse/training/test_scores.py": (
        "lakehouse/training/score_examples.py",
        "lakehouse/training/score_version.py",
        "ml/train_scores.py",
    ),
    "tests/lakehouse/training/test_segments.py": ("lakehouse/training/segment_figures.py", "ml/train_segments.py"),
    "tests/batch/test_learned_policy.py": ("lakehouse/learning/logged_exposures.py",),
    "tests/serving/api/test_availability.py": ("serving/api/kept_in_kafka.py",),
    "tests/serving/api/test_outcomes.py": (
        "lakehouse/learning/exposure.py",
        "lakehouse/learning/reward.py",
    ),
    "tests/serving/background/test_main.py": (
        "lakehouse/actions/action_requests.py",
        "lakehouse/moments/moment_actions.py",
        "serving/background/destination_workers.py",
        "serving/background/sent_exposures.py",
    ),
    "tests/serving/deciding/test_one_decision.py": (
        "serving/background/people.py",
        "serving/state/inputs.py",
    ),
    "tests/serving/api/test_access_control.py": ("serving/api/keys.py",),
    "tests/serving/state/test_profile_reads.py": ("serving/background/read_log.py",),
    "tests/serving/state/test_provider_keys.py": ("serving/state/fetched_bytes.py",),
    "tests/serving/kafka/test_spool.py": ("serving/kafka/spool_file.py",),
    "tests/serving/test_app.py": (
        "serving/api/collected.py",
        "serving/api/collector_routes.py",
        "serving/api/json_responses.py",
        "serving/api/library_settings.py",
        "serving/api/openapi.py",
        "serving/lifespan.py",
        "serving/api/listeners.py",
        "serving/api/service_status.py",
        "serving/api/visitor_profile.py",
        "serving/deciding/decision_log.py",
        "serving/deciding/next_best_action.py",
        "serving/deciding/request_context.py",
        "serving/messages/request_models.py",
        "serving/service.py",
    ),
    "tests/serving/test_scripted_visitor.py": (
        "serving/deciding/lane_decisions.py",
        "serving/state/last_answers.py",
        "serving/state/pressure.py",
    ),
    "tests/serving/visitors/test_visitor_lookup.py": ("serving/visitors/visitors.py",),
    "tests/streaming/test_decisions.py": (
        "lakehouse/lane/query.py",
        "lakehouse/lane/query_keeper.py",
    ),
    "tests/test_docstrings.py": ("lakehouse/demo/report/words.py",),
}
# Run by a command that no test calls, or called by what is: their parts are tested, they are not.
UNTESTED = {
    "lakehouse/commands/rules.py",
    "lakehouse/config/paths.py",
    "lakehouse/demo/closing_page.py",
    "lakehouse/demo/drain.py",
    "lakehouse/demo/fresh_lake.py",
    "lakehouse/demo/freshness.py",
    "lakehouse/demo/main.py",
    "lakehouse/demo/sources.py",
    "lakehouse/spark/scratch.py",
    "lakehouse/training/identity.py",
    "ml/evaluate_identity.py",
    "ml/train_identity.py",
}
ELSEWHERE = {module: test for test, modules in COVERED.items() for module in modules}


def holds_logic(path: Path) -> bool:
    return any(isinstance(node, Function) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def mirror(module: str) -> str:
    """The test file that a module has by its name; `__main__` is written without its underscores."""
    path = Path(module)
    return str(Path("tests") / path.parent / f"test_{path.stem.strip('_')}.py")


@pytest.fixture(scope="module")
def modules() -> list[str]:
    """Those that hold logic."""
    return [
        str(path.relative_to(PROJECT))
        for folder in FOLDERS
        for path in sorted((PROJECT / folder).rglob("*.py"))
        if path.name != "__init__.py" and holds_logic(path)
    ]


def fault_of(module: str) -> str | None:
    if not (PROJECT / mirror(module)).is_file():
        is_listed = module in ELSEWHERE or module in UNTESTED
        return None if is_listed else f"{module}: expected {mirror(module)}, or a place on COVERED in {__name__}"
    if module in ELSEWHERE or module in UNTESTED:
        return f"{module}: has {mirror(module)}. Take it off COVERED or UNTESTED in {__name__}"
    return None


def test_a_module_with_logic_has_a_test_of_its_name_or_is_on_the_list(modules: list[str]) -> None:
    assert [fault for module in modules if (fault := fault_of(module))] == []


def test_the_lists_name_modules_and_tests_that_are_there(modules: list[str]) -> None:
    named = [module for modules in COVERED.values() for module in modules]
    assert len(named) == len(set(named)), "a module is covered once"
    assert sorted((set(named) | UNTESTED) - set(modules)) == [], "gone, moved or without logic"
    assert not set(named) & UNTESTED
    assert [test for test in COVERED if not (PROJECT / test).is_file()] == []
    assert [test for test in longest_first.FILES if not (PROJECT / test).is_file()] == []
