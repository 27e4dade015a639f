"""Snapshots written by Orbax, in the background, under another name until they are whole."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from flaxnets.runs.checkpoints.parts import checksum, checksum_facts, shapes, split
from flaxnets.runs.checkpoints.quiet_orbax import quiet
from flaxnets.runs.folder import CHECKPOINTS
from flaxnets.training import Snapshot

LATEST, BEST = 2, 1  # how many are kept


class Checkpoints:
    """The checkpoints of a workdir. To be entered with ``with``: at its end all are on disk.

    Args:
        workdir: the folder of a run. Its subfolder ``checkpoints`` is made if it is not there, and
            what an earlier process left half written in it is removed.

    Raises:
        OSError: if the folder cannot be made or read, and at the end of ``with`` if a checkpoint
            could not be written.
    """

    def __init__(self, workdir: Path) -> None:
        import orbax.checkpoint as ocp
        from orbax.checkpoint import checkpoint_managers as managers

        best = managers.BestN(
            get_metric_fn=lambda metrics: metrics["test_accuracy"],
            n=BEST,
            keep_checkpoints_without_metrics=False,
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=managers.AnyPreservationPolicy([managers.LatestN(LATEST), best]),
            create=False,
            cleanup_tmp_directories=True,
            # of several processes only the first writes
            multiprocessing_options=ocp.options.MultiprocessingOptions(active_processes={0}),
        )
        self._args = ocp.args
        self._step: int | None = None  # the last one saved
        folder = (workdir / CHECKPOINTS).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with _said():
            self._manager = ocp.CheckpointManager(folder, options=options)

    def save(
        self, step: int, snapshot: Snapshot, about: Mapping[str, Any], accuracy: float | None
    ) -> None:
        """Begin to write a snapshot, and go on; one that cannot be written is said at the next.

        Args:
            step: names it. A second snapshot of a step is not written.
            snapshot: what to write.
            about: what else to keep, as JSON has it.
            accuracy: the test accuracy, at the end of an epoch.

        Raises:
            OSError: if this or the one before cannot be written. Older ones stay as they are.
        """
        if step == self._step:
            return
        arrays, facts = split(snapshot)
        facts = {**facts, "about": dict(about), "shapes": shapes(arrays)}
        checksums = {"facts": checksum_facts(facts), "arrays": checksum(arrays)}
        items = {
            "arrays": self._args.StandardSave(arrays),
            "facts": self._args.JsonSave({**facts, "checksums": checksums}),
        }
        metrics = None if accuracy is None else {"test_accuracy": accuracy}
        with _said():
            if not self._manager.save(step, args=self._args.Composite(**items), metrics=metrics):
                raise OSError(f"Orbax takes none of step {step}")
        self._step = step

    def wait(self) -> None:
        """Until all are on disk. Raises OSError if one cannot be written."""
        with _said():
            self._manager.wait_until_finished()

    def __enter__(self) -> "Checkpoints":
        self._exit = ExitStack()
        self._exit.enter_context(quiet())
        self._exit.push(self._close)
        return self

    def __exit__(self, *error: Any) -> None:
        self._exit.__exit__(*error)

    def _close(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            with _said():
                self._manager.close()
        except OSError:
            if kind is None:
                raise


@contextmanager
def _said() -> Iterator[None]:
    """What Orbax raises when it cannot write, as an OSError of one line."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())
        code = re.search(r"os_error_code='(\d+)'", text)
        reason = os.strerror(int(code[1])) if code else text
        raise OSError(f"cannot write a checkpoint, those before are whole: {reason}") from error
