# Sourced by Spark's own start scripts, just before the JVM. The JVM's messages go to the log the launcher names: lakehouse/commands/launcher.py.
if [ -n "${STITCHLAKE_JVM_LOG:-}" ]; then
  exec 2>>"$STITCHLAKE_JVM_LOG"
fi
