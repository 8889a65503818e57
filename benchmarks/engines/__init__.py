"""Can the transforms run on an engine without a JVM? See ``docs/engines.md``."""
