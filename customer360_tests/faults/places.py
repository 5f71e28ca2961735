"""The process is killed between writes that are none of Delta's: lists, logs, servers, models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from customer360_tests.faults.company import (
    BACKING_UP,
    FORGETTING_PUBLISHED,
    RESTORING,
    ROTATING,
    TRAINING,
    Company,
    Step,
)
from customer360_tests.faults.faults import KILLED, Fault, Night
from customer360_tests.faults.victim import Accident

KIND = "SIGKILL between other writes"

_FORGET, _FILES = "customer360.privacy.forget", "customer360.privacy.forget_files"
_ANEW, _ROTATE = "customer360.privacy.warehouse_anew", "customer360.privacy.rotate"
_BACKUP, _LOG = "customer360.pipeline.backup", "customer360.models.tracking.log"

PLACES: Mapping[Step, Mapping[str, Accident]] = {
    FORGETTING_PUBLISHED: {
        "a list is written, its manifest not": Accident.at_call("after", f"{_FILES}:_without"),
        "lists are written, logs not": Accident.at_call("after", f"{_FILES}:forget_lists"),
        "Dagster's logs are scrubbed, MLflow not": Accident.at_call(
            "after", f"{_FILES}:scrub_folder"
        ),
        "contacts are set aside": Accident.at_call("after", f"{_ANEW}:_set_aside"),
        "the server is made anew, nothing published": Accident.at_call(
            "after", f"{_ANEW}:_put_back"
        ),
        "all is published, the journal not closed": Accident.at_call(
            "after", f"{_FORGET}:publish_anew"
        ),
    },
    ROTATING: {
        "contacts have the new keys": Accident.at_call("after", f"{_ROTATE}:_contacts_by_new_keys"),
        "three tables have the new keys": Accident.at_call("after", f"{_ROTATE}:_rotate_table", 3),
        "the new secret is in use, lists have the old keys": Accident.at_call(
            "before", f"{_ROTATE}:_finish"
        ),
        "a list is written again": Accident.at_call(
            "after", "customer360.privacy.lists_again:_exported_again"
        ),
    },
    BACKING_UP: {
        "some files are copied": Accident.at_call("after", f"{_BACKUP}:_copied", 20),
        "all is copied, the manifest not written": Accident.at_call("before", f"{_BACKUP}:_tables"),
    },
    RESTORING: {
        "some files are restored": Accident.at_call("after", f"{_BACKUP}:_restore_file", 20),
        "the home is there, its warehouse not": Accident.at_call("before", f"{_BACKUP}:_load"),
    },
    TRAINING: {
        "a model is registered, without a card": Accident.at_call("before", f"{_LOG}:_write_card"),
        "a model has its card, and no alias": Accident.at_call(
            "before", "mlflow:MlflowClient.set_registered_model_alias"
        ),
        "a model has its alias, and is not said to be done with": Accident.at_call(
            "after", "mlflow:MlflowClient.set_registered_model_alias"
        ),
    },
}
"""By step, and by what is done by then: where the process is killed."""


def all_kinds(_: Company) -> Iterator[Fault]:
    """One for each place."""
    for step, places in PLACES.items():
        for where, accident in places.items():
            yield Fault(KIND, step, where, _Killed(accident))


class _Killed:
    def __init__(self, accident: Accident) -> None:
        self.accident = accident

    def __call__(self, night: Night) -> str:
        how = night.process(self.accident)
        assert how == KILLED, how
        return how
