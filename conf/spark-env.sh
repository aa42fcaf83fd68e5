# Sourced by Spark's own start scripts, just before the JVM. The JVM's messages go to the log the launcher names: lakehouse/commands/launcher.py.
if [ -n "${STITCHLAKE_JVM_LOG:-}" ]; then
  exec 2>>"$STITCHLAKE_JVM_LOG"
fi
# A JVM maps classes of jars only (lakehouse/spark/class_archive.py), and of none that stands behind a folder with files in it. This folder comes last.
export SPARK_DIST_CLASSPATH=$SPARK_CONF_DIR${SPARK_DIST_CLASSPATH:+:$SPARK_DIST_CLASSPATH}
export SPARK_CONF_DIR=$SPARK_CONF_DIR/none
