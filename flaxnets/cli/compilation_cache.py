"""JAX's cache of compiled programs on disk, so that a second start does not compile again."""

import os
from pathlib import Path


def use_compilation_cache() -> None:
    """Keep what is compiled under the user's cache folder, unless the user has set another."""
    import jax

    settings = jax.config.values
    if settings["jax_compilation_cache_dir"] or not settings["jax_enable_compilation_cache"]:
        return
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # nobody's home, as in some containers: no cache, then
        return
    jax.config.update("jax_compilation_cache_dir", str(Path(base, "flaxnets", "jax")))
    # by default what took less than a second is not kept, which is most of these programs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
