"""Classes of the JVM that Python names, found once.

Py4J asks the JVM what a name stands for each time Python uses it. One without its package, as pyspark writes `functions` for every column it
makes, is looked for in all imported packages, in each jar of the class path: a tenth of what making plans cost. So is each part of a whole name, `org` and
`org.apache` before the class: that no jar has such a class was another tenth. And each of a class's functions is asked for before it is called, so that
two of three exchanges say what was said before.
"""

from typing import Any

from py4j.java_gateway import JavaClass, JavaMember, JavaPackage, JVMView
from pyspark.sql import SparkSession


def remember(spark: SparkSession) -> None:
    """From now on, whatever class this process names is looked for once, and so are its functions."""
    view: Any = spark._jvm
    view.__class__ = _View


class _Names:
    """What has names below it: the view of the JVM, and each package."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)  # type: ignore[misc]
        if isinstance(found, JavaClass):
            found = self.__dict__[name] = _Class(found._fqn, found._gateway_client)
        elif isinstance(found, JavaPackage) and name.islower():  # a class in capitals may come with another jar
            found = self.__dict__[name] = _Package(found._fqn, found._gateway_client, found._jvm_id)
        return found


class _View(_Names, JVMView):  # type: ignore[misc]  # py4j has no types
    pass


class _Package(_Names, JavaPackage):  # type: ignore[misc]
    pass


class _Class(JavaClass):  # type: ignore[misc]
    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if isinstance(found, JavaMember):  # what is no function is a value, which may be another one next time
            self.__dict__[name] = found
        return found
