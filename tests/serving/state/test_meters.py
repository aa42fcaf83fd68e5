from serving.state.meters import COUNTED, Meters


def lines(meters: Meters) -> set[str]:
    return {line for line in meters.text().decode().splitlines() if not line.startswith("#")}


def test_sums_are_taken_over_as_they_grow_and_answers_as_they_are_given() -> None:
    meters = Meters()
    route = meters.route("/api/decide")
    for status, seconds in ((200, 0.003), (200, 0.2), (429, 0.0001)):
        route.answered(status, seconds)
    for events in (3, 5):
        meters.take(dict.fromkeys(COUNTED, 0) | {"events": events}, listeners=events, late_seconds=0.5, spooled_bytes=7)
    assert lines(meters) >= {
        "stitchlake_events_total 5.0",
        "stitchlake_decisions_model_total 0.0",
        "stitchlake_listeners 5.0",
        "stitchlake_late_seconds 0.5",
        "stitchlake_spooled_bytes 7.0",
        'stitchlake_answers_total{route="/api/decide",status="200"} 2.0',
        'stitchlake_answers_total{route="/api/decide",status="429"} 1.0',
        'stitchlake_answer_seconds_bucket{le="0.004",route="/api/decide"} 2.0',
        'stitchlake_answer_seconds_count{route="/api/decide"} 3.0',
    }
