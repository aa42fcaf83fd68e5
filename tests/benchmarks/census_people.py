"""A file of dirty person records that nobody tuned the matcher on: censuses and tax forms of one made-up town.

    python3 -m venv /tmp/census && /tmp/census/bin/pip install pseudopeople==1.3.1
    /tmp/census/bin/python tests/benchmarks/census_people.py people.csv [--noise 1] [--records 50000]
    ./spark-submit.sh ml/evaluate_identity.py --data people.csv --id record --truth person

The people, their households and the mistakes in their records are those of pseudopeople (Institute for Health Metrics
and Evaluation): families, namesakes, people who move between the censuses of 2020, 2030 and 2040; typing errors,
nicknames, letters misread, digits misheard, a relative's value in place of one's own. A tax form has no birthday.
`--noise` multiplies the shares of mistakes, up to a quarter of the values. It runs in an environment of its own:
Stitchlake does not need pseudopeople.
"""

import argparse

import pandas as pd
import pseudopeople

COMPARED = ["first_name", "middle_initial", "last_name", "date_of_birth", "sex", "street", "city", "zipcode"]
MOST_NOISE = 0.25


def noisier(config: dict, times: float) -> dict:
    """pseudopeople's tree of settings with every share of mistakes multiplied."""

    def one(name: str, value: object) -> object:
        if isinstance(value, dict):
            return noisier(value, times)
        return min(value * times, MOST_NOISE) if name == "cell_probability" else value

    return {name: one(name, value) for name, value in config.items()}


def written(records: pd.DataFrame) -> pd.DataFrame:
    """Records of any of its data sets -> person and the columns compared, empty where it has none.

    An address is one line.
    """
    records = records.rename(columns=lambda name: name.removeprefix("mailing_address_"))
    parts = records[["street_number", "street_name", "unit_number"]].astype(object)
    lines = parts.where(parts.notna(), "").agg(" ".join, axis=1).str.split().str.join(" ")
    told = records.assign(person=records["simulant_id"], street=lines)
    return told.reindex(columns=["person", *COMPARED]).astype(object)


def main() -> None:
    parser = argparse.ArgumentParser(prog="census_people")
    parser.add_argument("file")
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--records", type=int, default=50_000, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    config = noisier(pseudopeople.get_config(), options.noise)
    told = {"seed": options.seed, "config": config}
    found = [pseudopeople.generate_decennial_census(year=year, **told) for year in (2020, 2030, 2040)]
    found.append(pseudopeople.generate_taxes_w2_and_1099(year=2025, **told))
    people = pd.concat(map(written, found), ignore_index=True)
    people = people.sample(min(len(people), options.records), random_state=options.seed, ignore_index=True)
    people.to_csv(options.file, index_label="record")
    print(f"{options.file}: {len(people)} records of {people['person'].nunique()} people")


if __name__ == "__main__":
    main()
