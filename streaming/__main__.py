"""Every streaming query in one driver.

./spark-submit.sh streaming                   # until stopped
./spark-submit.sh streaming --available-now   # drains what is in the topic, exits 0
"""

from lakehouse.command_line import run
from lakehouse.config import load
from lakehouse.io import Lake
from lakehouse.lock import writer
from lakehouse.session import get_session
from lakehouse.streams import await_all, start_all
from streaming import bronze_events, profiles, silver_events


def main(argv: list[str]) -> None:
    config = load()
    with writer(config):
        lake = Lake(get_session(config, "streaming"), config)
        starts = [profiles.start, bronze_events.start, silver_events.start]
        queries = start_all(lake, starts, available_now="--available-now" in argv)
        if "--available-now" not in argv:
            print("ready", flush=True)
        await_all(lake, queries)


if __name__ == "__main__":
    run(main)
