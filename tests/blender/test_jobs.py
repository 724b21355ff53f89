# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that do not end well change nothing, and the next one works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bpy
import numpy as np
import pytest

from examples.blender_scene import add_action
from examples.characters import walk_cycle

from .scenes import add_source, add_target, failure, fingerprint, hero, select, stout, weights_of

JOINTS = hero().joints


@contextmanager
def while_a_job_runs(extension, act: Callable[[int], None]) -> Iterator[None]:
    """Call `act` with the worker's process id from another thread, as soon as features are being computed."""
    bpy.ops.surface_features.test_engine()  # the worker is warm, so the job begins at once
    engine = extension("bridge.engine").session_engine("")
    submitted = threading.Event()
    submit = engine.submit

    def watched_submit(request):
        job = submit(request)

        def wait() -> None:
            time.sleep(0.2)  # by then the operator waits for the job
            while job.progress <= 0.05 and job.message in ("Waiting for the engine", "Starting"):
                time.sleep(0.005)
            submitted.set()
            act(engine.worker_pid)

        threading.Thread(target=wait, daemon=True).start()
        return job

    engine.submit = watched_submit
    try:
        yield
    finally:
        del engine.submit
    assert submitted.is_set(), "the job ended before anything could happen to it"


@pytest.fixture
def slow_scene():
    source, target = add_source(), add_target()
    select(source, target)
    bpy.context.scene.surface_features.views = 100
    return source, target


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("operator", ["transfer_weights", "rig", "show_features"])
def test_killed_worker_leaves_the_scene_and_one_sentence(extension, slow_scene, operator: str) -> None:
    before = fingerprint()
    with while_a_job_runs(extension, lambda pid: os.kill(pid, signal.SIGKILL)):
        message = failure(getattr(bpy.ops.surface_features, operator))
    assert "engine" in message.lower()
    assert fingerprint() == before
    bpy.context.scene.surface_features.views = 8
    assert bpy.ops.surface_features.transfer_weights() == {"FINISHED"}
    np.testing.assert_allclose(weights_of(slow_scene[1], JOINTS).sum(axis=1), 1.0, atol=1e-3)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts what runs in its background with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_job_changes_nothing(extension, slow_scene) -> None:
    before = fingerprint()
    with while_a_job_runs(extension, lambda _: os.kill(os.getpid(), signal.SIGINT)):
        assert bpy.ops.surface_features.transfer_weights() == {"CANCELLED"}
    assert fingerprint() == before
    bpy.context.scene.surface_features.views = 8
    assert bpy.ops.surface_features.transfer_weights() == {"FINISHED"}


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("operator", ["transfer_pose", "transfer_motion"])
def test_interrupted_motion_keys_nothing(extension, operator: str) -> None:
    source, target = add_source(), add_source("Stout", stout())
    add_action(source.modifiers["Armature"].object, "Walk", [walk_cycle(step / 4) for step in range(4)])
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.context.scene.frame_set(2)
    bpy.context.scene.surface_features.views = 100
    select(source, target)
    rig = target.modifiers["Armature"].object

    def state() -> tuple:
        bones = tuple(tuple(value for row in bone.matrix_basis for value in row) for bone in rig.pose.bones)
        return fingerprint(), len(bpy.data.actions), rig.animation_data is None, bones

    before = state()
    with while_a_job_runs(extension, lambda _: os.kill(os.getpid(), signal.SIGINT)):
        assert getattr(bpy.ops.surface_features, operator)() == {"CANCELLED"}
    assert state() == before
    bpy.context.scene.surface_features.views = 8
    assert getattr(bpy.ops.surface_features, operator)() == {"FINISHED"}
    assert len(bpy.data.actions) == before[1] + 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda target: bpy.data.meshes.remove(target.data), "deleted"),
        (lambda target: target.data.vertices.add(1), "edited"),
        (lambda target: target.vertex_groups.new(name=JOINTS[0]).add([0], 1.0, "REPLACE"), "already has weights"),
    ],
)
def test_target_changed_meanwhile_is_not_written(extension, change, word: str) -> None:
    source, target = add_source(), add_target()
    select(source, target)
    job, errors = extension("bridge.job"), extension("surface_features.errors")
    plan_of = extension("operators.transfer_weights").plan_transfer_weights
    plan = plan_of(source, [target], extension("properties").job_settings(bpy.context), replace=False)
    run = job.JobRun(plan, extension("bridge.engine").session_engine(""))
    while not run.step():
        time.sleep(0.02)
    change(target)
    changed = fingerprint()
    with pytest.raises(errors.BadInputError, match=word):
        run.finish(bpy.context, push_undo=False)
    assert fingerprint() == changed


def test_renamed_and_moved_target_is_still_written(extension) -> None:
    source, target = add_source(), add_target()
    select(source, target)
    job = extension("bridge.job")
    plan_of = extension("operators.transfer_weights").plan_transfer_weights
    plan = plan_of(source, [target], extension("properties").job_settings(bpy.context), replace=False)
    run = job.JobRun(plan, extension("bridge.engine").session_engine(""))
    target.name = "Anders"
    target.location.z = 1
    while not run.step():
        time.sleep(0.02)
    outcome, _ = run.finish(bpy.context, push_undo=False)
    assert outcome.message.startswith("Anders")
    assert len(target.vertex_groups) > 5


def test_engine_whose_answer_does_not_fit_is_refused(extension) -> None:
    source, target = add_source(), add_target()
    select(source, target)
    protocol = extension("surface_features.engine.protocol")
    plan_of = extension("operators.transfer_weights").plan_transfer_weights
    plan = plan_of(source, [target], extension("properties").job_settings(bpy.context), replace=False)
    before = fingerprint()
    wrong = protocol.JobResult({"weights_0": np.zeros((3, 2), np.float32)}, {"warnings": [], "timings": {}})
    with pytest.raises(extension("surface_features.errors").EngineError, match="nothing was changed"):
        plan.finish([source.modifiers[0].object, target], [wrong])
    assert fingerprint() == before


def test_no_python_with_torch_is_one_sentence(extension, monkeypatch) -> None:
    engine = extension("bridge.engine")
    monkeypatch.delenv(engine.PYTHON_VARIABLE, raising=False)
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(engine, "_candidates", lambda: iter(()))
    engine._first_with_torch.cache_clear()
    select(add_target())
    try:
        assert "Engine Python" in failure(bpy.ops.surface_features.compute_features)
    finally:
        engine._first_with_torch.cache_clear()


def test_virtual_environment_folder_can_be_the_engine_python(extension, tmp_path) -> None:
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.touch()
    assert extension("bridge.engine").find_engine_python(str(tmp_path)).python == str(python)
