"""The session: the one truth that pages bind to. It knows no Qt and lives in the window's thread.

Operations return at once; what they lead to is told by topic (see `Session.subscribe`). All work is
done in the engine process; `pump` takes its answers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab import paths
from modellab.errors import LabError, quote
from modellab.experiment import DataSpec, Experiment, LearnerSpec, check, replace
from modellab.gui import session_kept as kept
from modellab.gui import session_saving as saving
from modellab.gui.session_core import struct_of
from modellab.gui.session_data import EXPERIMENT_SUFFIXES, DataPart, Opening
from modellab.gui.session_growing import GrowthState
from modellab.gui.session_replay import Interrupted
from modellab.gui.session_saving import Recoverable
from modellab.gui.session_training import Training
from modellab.gui.session_undo import UndoEntry
from modellab.gui.session_verdict import VerdictState
from modellab.replay.protocol import TrainingResult, TrainModel, WriteResults, Written

if TYPE_CHECKING:
    from modellab.gui.session_jobs import Job

__all__ = ["Session"]


def _how_read(data: DataSpec) -> tuple[object, ...]:
    """What of an experiment says how its files become a data set."""
    return (data.sort, data.sort and data.time, data.reading)


class Session(DataPart):
    """One open experiment with its data, trainings and replay.

    Attributes
    ----------
    experiment
        The experiment as it is now; None before data are open.
    data, profile
        What is known of the data; `profile_stale` while a newer profile is being made.
    sample
        Id of the bundled sample that is open; None for one's own data.
    trainings, chosen
        Trainings so far, oldest first, and the one that Test shows and Deploy takes live.
    path
        The file that the experiment was opened from or saved as.
    verdict_state
        The verdict on the replay.
    growth
        What there is of data that are still being read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verdict_state = VerdictState(self)
        self.growth = GrowthState(self)

    def deploy(self) -> Job | None:
        """Switch to deployment: the chosen learner goes live, default lanes around it."""
        learner = self.chosen.learner if self.chosen is not None else self._live_learner
        other = self._live_learner is not None and learner != self._live_learner
        if self.why_no_deploy is None and (self.deployment_stale or other):
            self.verdict_state.renew_hindsight()
        return super().deploy()

    @property
    def dirty(self) -> bool:
        """Whether there is something that is in no file yet."""
        return self.experiment is not None and (
            self.experiment != self._kept or self._has_unkept_trainings
        )

    @property
    def _has_unkept_trainings(self) -> bool:
        # A .toml file holds no trainings: they are not waited for.
        if self.path is None:
            return bool(self.trainings)
        return self.path.suffix.lower() == ".mlab" and self._training_ids != self._kept_trainings

    @property
    def _training_ids(self) -> list[int]:
        return [t.id for t in self.trainings]

    # ------------------------------------------------------------------ editing

    def edit(self, text: str, experiment: Experiment, *, merge: str = "") -> None:
        """Take over a changed experiment, undoably; edits of one `merge` key in a row become one.

        Raises
        ------
        ExperimentError
            The experiment is not valid; nothing was changed.
        """
        before = self.experiment
        if before is None or experiment == before:
            return
        after = check(experiment)
        changed = [f for f in after.__struct_fields__ if getattr(after, f) != getattr(before, f)]
        old = {f: getattr(before, f) for f in changed}
        new = {f: getattr(after, f) for f in changed}
        guessed = self.target_guessed

        def set_back() -> None:
            self._apply_fields(old)
            self.target_guessed = guessed

        entry = UndoEntry(text, set_back, lambda: self._apply_fields(new), merge=merge)
        self._undo.push(entry)
        self._apply_fields(new)

    def confirm_target(self) -> None:
        """The guessed target is right."""
        if self.target_guessed:
            self.target_guessed = False
            self.topics.publish("experiment")

    def _apply_fields(self, fields: dict[str, Any]) -> None:
        before = self.experiment
        if before is None:
            return
        after = replace(before, **fields)
        if after.data.target != before.data.target:
            self.target_guessed = False
        self.experiment = after
        self.topics.publish("experiment")
        self.topics.publish("trainings")
        self.topics.publish("deployment")
        if _how_read(after.data) != _how_read(before.data):
            places = [Path(p) for p in after.data.paths]
            self._open(places, Opening(after, None, None, [], reread=True))
        elif (after.data, after.split) != (before.data, before.split):
            self._ask_profile()

    def _set_experiment(self, experiment: Experiment) -> None:
        if experiment != self.experiment:
            self.experiment = experiment
            self.topics.publish("experiment")

    @property
    def undo_text(self) -> str | None:
        """What undo would take back; None when there is nothing."""
        return self._undo.undo_text

    @property
    def redo_text(self) -> str | None:
        """What redo would do again; None when there is nothing."""
        return self._undo.redo_text

    def undo(self) -> None:
        """Take back the last edit."""
        self._undo.undo()
        self.topics.publish("experiment")

    def redo(self) -> None:
        """Do the last undone edit again."""
        self._undo.redo()
        self.topics.publish("experiment")

    # ------------------------------------------------------------------ trainings

    @property
    def why_no_training(self) -> str | None:
        """Why nothing can be trained now; None when it can."""
        if self.experiment is None:
            return "Open data first."
        if self.awaits_data:
            return "The data are being read."
        if self._why_no_data_set() is not None:
            return self._why_no_data_set()
        if self.job_of("train") is not None:
            return "A model is being trained."
        if self.profile is not None and not self.profile_stale and self.profile.train_rows == 0:
            return "There is no training window: move the split on the Data page."
        return None

    def train(self, learner: LearnerSpec) -> Job | None:
        """Train and test a learner of the catalogue on the training window."""
        why = self.why_no_training
        experiment = self.experiment
        if why is not None or experiment is None:
            self.tell("warning", why or "")
            return None
        job = self.start_job(
            TrainModel(experiment=experiment, learner=learner),
            "train",
            "Training",
            on_done=lambda result: self._trained(struct_of(TrainingResult, result), experiment),
        )
        job.again = lambda: self.train(learner)
        return job

    def _trained(self, result: TrainingResult, experiment: Experiment) -> None:
        number = self._next_training
        self._next_training += 1
        used = [t.index for t in self.trainings]
        index = next(i for i in range(len(used) + 1) if i not in used)
        training = Training(number, index, result, experiment)
        self.trainings.append(training)
        self.chosen = training
        for sentence in result.warnings:
            self.tell("warning", sentence)
        self.topics.publish("trainings")

    def choose(self, training: int | None) -> None:
        """Choose the training that Test shows and Deploy takes live."""
        found = next((t for t in self.trainings if t.id == training), None)
        if found is not self.chosen:
            self.chosen = found
            self.topics.publish("trainings")

    def remove_training(self, training: int) -> None:
        """Take a training out of the list, undoably."""
        at = next((i for i, t in enumerate(self.trainings) if t.id == training), None)
        if at is None:
            return
        taken = self.trainings[at]

        def remove() -> None:
            self.trainings.remove(taken)
            if self.chosen is taken:
                self.chosen = self.trainings[-1] if self.trainings else None
            self.topics.publish("trainings")

        def bring_back() -> None:
            self.trainings.insert(min(at, len(self.trainings)), taken)
            self.topics.publish("trainings")

        remove()
        self._undo.push(UndoEntry(f"Remove training {taken.name}", bring_back, remove))
        self.topics.publish("experiment")

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path, thumbnail: bytes | None = None) -> bool:
        """Save the experiment, journal included, as ``.toml`` or ``.mlab``; returns success.

        A ``.mlab`` file holds the trainings, the results so far and a picture (`thumbnail`, PNG)
        too, a ``.toml`` file does not.
        """
        if self.experiment is None:
            return False
        place = Path(path).expanduser().absolute()
        if place.suffix.lower() not in EXPERIMENT_SUFFIXES:
            place = place.with_name(place.name + ".mlab")
        whole = place.suffix.lower() == ".mlab"
        trainings, fitting = kept.encode_trainings(self.trainings) if whole else (None, 0)
        try:
            fingerprint = self.data.fingerprint if self.data is not None else None
            saving.write_experiment(
                self.experiment, place, fingerprint, trainings=trainings, thumbnail=thumbnail
            )
        except (LabError, OSError) as error:
            sentence = f"The experiment could not be saved as {quote(place.name)}."
            self.tell("error", getattr(error, "sentence", sentence), detail=str(error))
            return False
        self.path, self._kept = place, self.experiment
        self._kept_trainings = self._training_ids
        self._autosave.remove()
        self.topics.publish("experiment")
        if whole:
            if fitting < len(self.trainings):
                self.tell(
                    "warning",
                    f"The list of trainings is too long for {quote(place.name)}: "
                    f"only the newest {fitting:,} were saved.",
                )
            self._add_results(place, self.experiment, trainings, thumbnail)
        return True

    def _add_results(
        self,
        place: Path,
        experiment: Experiment,
        trainings: bytes | None,
        thumbnail: bytes | None,
    ) -> None:
        """Put the results of the replay so far into a ``.mlab`` file that was just saved."""
        live = self._live()
        if live is None or not live.started or self.deployment_stale:
            return
        folder = paths.cache_dir() / "replays" / self._autosave.id / "results"
        saved = self._kept_trainings

        def written(_result: dict[str, Any]) -> None:
            fingerprint = self.data.fingerprint if self.data is not None else None
            try:
                # Saved again or elsewhere in the meantime: these results are not of that file.
                if (self.path, self._kept, self._kept_trainings) == (place, experiment, saved):
                    saving.write_experiment(
                        experiment, place, fingerprint, folder, trainings, thumbnail
                    )
            except (LabError, OSError) as error:
                sentence = f"The results could not be put into {quote(place.name)}."
                self.tell("warning", sentence, detail=str(error))
            saving.remove_replay(folder)

        title = f"Adding results to {place.name}"
        self.start_job(WriteResults(folder=str(folder)), "results", title, on_done=written)

    def write_results(self, folder: str | Path) -> Job | None:
        """Write the results folder of the replay so far."""
        if self.deployment is None:
            return None
        place = str(folder)

        def told(result: dict[str, Any]) -> None:
            written = struct_of(Written, result)
            count = len(written.files)
            what = "1 file was" if count == 1 else f"{count} files were"
            self.tell("info", f"{what} written to {quote(written.folder)}.")

        return self.start_job(
            WriteResults(folder=place), "results", "Writing results", on_done=told
        )

    def autosave(self) -> bool:
        """Keep the unsaved work in the state folder: called now and then, and on quitting."""
        if self.experiment is None or not self.dirty:
            return False
        live = self.deployment
        position = live.position if live is not None and live.started else None
        try:
            return self._autosave.write(
                self.experiment,
                self.title,
                self.trainings,
                self.path,
                position,
                live.session_dir if live is not None else None,
            )
        except OSError as error:
            if self.last_message is None or self.last_message.detail != str(error):
                self.tell("warning", "The unsaved work cannot be kept.", detail=str(error))
            return False

    def recoverable(self) -> list[Recoverable]:
        """Unsaved sessions of earlier runs, newest first; checkpoints that nobody misses go."""
        saving.clean_replays()
        return saving.recoverable(self._autosave.id)

    def recover(self, session: Recoverable | str | None = None) -> None:
        """Open an unsaved session again (the newest unless told)."""
        known = self.recoverable()
        wanted = session.id if isinstance(session, Recoverable) else session
        found = next((r for r in known if wanted is None or r.id == wanted), None)
        if found is None:
            self.tell("warning", "There is no such unsaved session any more.")
            return
        try:
            experiment, trainings, lost = saving.read(found)
        except LabError as error:
            self.tell("error", error.sentence, detail=error.detail)
            return
        if lost:
            sentence = "The trainings of the unsaved session cannot be read: train them again."
            self.tell("warning", sentence, detail=lost)
        self._open_with(experiment, Opening(experiment, found.path, None, trainings, found))

    def _recovered(self, found: Recoverable) -> None:
        # From here on it is this session's own file.
        self._autosave.id = found.id
        if found.position and found.replay_dir and Path(found.replay_dir).is_dir():
            assert self.experiment is not None
            self.interrupted = Interrupted(self.experiment, found.replay_dir, found.position)
            self._offer_to_continue("The unsaved session is open again.", kind="info")

    def discard(self, session: Recoverable) -> None:
        """Delete an unsaved session."""
        saving.discard(session.id)

    def close(self, *, keep: bool = True) -> None:
        """End the session: unsaved work is kept for the next start, unless `keep` is False."""
        kept = keep and self.dirty
        if kept:
            self.autosave()
        self.stop_engine()
        if not kept:
            self._autosave.remove()
            saving.remove_replay(paths.cache_dir() / "replays" / self._autosave.id)

    def replay_folder(self) -> Path:
        """Return a new folder for a replay's checkpoints; those of the one before are deleted."""
        home = paths.cache_dir() / "replays" / self._autosave.id
        if self.deployment is not None:
            saving.remove_replay(Path(self.deployment.session_dir))
        home.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=home))  # two within one tick of the clock differ, too
