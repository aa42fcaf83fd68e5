import subprocess
import sys

from lakehouse.config import PROJECT

PROGRAM = """
from threadpoolctl import threadpool_info
from lakehouse.models.one_thread import one_thread
with one_thread():
    from sklearn.cluster import KMeans
    told = {one["user_api"]: one["num_threads"] for one in threadpool_info()}
print(sorted(told.items()))
"""


def test_also_what_scikit_learn_brings_along_when_it_is_first_used_has_one_thread() -> None:
    """In a process of its own: this one has it already."""
    told = subprocess.run([sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[('blas', 1), ('openmp', 1)]"
