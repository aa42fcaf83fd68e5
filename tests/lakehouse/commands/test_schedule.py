"""The command: it renders what is declared, and says what is not."""

from dataclasses import replace

import pytest

from lakehouse.commands import schedule
from lakehouse.errors import ConfigError, StitchlakeError
from lakehouse.schedule.declaration import AirflowPlace, DatabricksPlace


def test_it_prints_the_schedule_for_other_schedulers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = DatabricksPlace(project="/Workspace/x", cluster_id="1")
    declared = replace(schedule.declared(), airflow=AirflowPlace(project="/opt/x"), databricks=place)
    monkeypatch.setattr(schedule, "declared", lambda: declared)
    schedule.main([schedule.AIRFLOW])
    text = capsys.readouterr().out
    compile(text, "dag.py", "exec")
    assert "./spark-submit.sh batch/maintenance.py --if-free" in text
    schedule.main([schedule.DATABRICKS])
    assert len(capsys.readouterr().out.splitlines()) == len(declared.jobs)


@pytest.mark.parametrize("flag", [schedule.AIRFLOW, schedule.DATABRICKS])
def test_a_place_that_is_not_declared_is_asked_for(flag: str) -> None:
    with pytest.raises(ConfigError, match=f"got no {flag[2:]}, expected where"):
        schedule.main([flag])


def test_another_argument_is_refused() -> None:
    with pytest.raises(StitchlakeError, match="got '--dag'"):
        schedule.main(["--dag"])
