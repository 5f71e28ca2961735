"""Lists, copies and models that a deployment is given: read by machines, written by people."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path

from customer360.lakehouse.object_store import HOME_ID, OWNER, claim
from customer360.lakehouse.reading import engine
from customer360.serving import contacts
from customer360.serving.suppression import read_suppression
from customer360_tests.bad_input.case import FOLDER, Case, Content, Group

KEY = "ab" * 32
HOME: Mapping[str, Content] = {"data/customer360.yaml": "sources: [cdnow]\n"}


def forgetting(id: str, wrong: str, says: str, content: Content | None) -> Case:
    """A list of whom to forget."""
    files = HOME if content is None else {**HOME, "people.txt": content}
    return Case(id, wrong, says, ("privacy", "forget", "--file", "people.txt", "--yes"), files)


def replaying(id: str, wrong: str, says: str, content: Content) -> Case:
    """Edited rows."""
    command = ("quarantine", "replay", "--edits", "rows.csv", "--by", "Ana")
    return Case(id, wrong, says, command, {"data/customer360.yaml": "", "rows.csv": content})


def predicting(id: str, wrong: str, says: str, model: Content, *options: str) -> Case:
    """A model file from elsewhere."""
    command = ("predict", "orders.csv", "-o", "revenue.csv", "--model", "revenue.pkl", *options)
    return Case(id, wrong, says, command, {"orders.csv": "order_id\n", "revenue.pkl": model})


def restoring(id: str, wrong: str, says: str, files: Mapping[str, Content]) -> Case:
    """A backup."""
    return Case(id, wrong, says, ("restore", "copy", "--home", "again"), files)


def manifest(*files: Mapping[str, object], **others: object) -> str:
    """What a backup says of itself."""
    stated = {
        "made_by": "1.0.0",
        "created_at": "2026-11-26T00:00:00+00:00",
        "home": "/shop",
        "files": files,
        "tables": {},
        "warehouse": "none",
        "secrets": False,
    }
    return json.dumps(stated | others)


def listed(path: str, content: bytes) -> dict[str, object]:
    """A file of a backup, as its manifest has it."""
    return {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def claiming(id: str, wrong: str, says: str, note: Content) -> Case:
    """What lies where the tables are, which a home finds that wrote there before."""
    ours = {"id": "ours", "tokens": {"s3a://shop": ["first", "second"]}}
    files = {f"shop/{OWNER}": note, f"home/{HOME_ID}": json.dumps(ours)}
    return Case(id, wrong, says, files=files, function=_claimed)


def _claimed(folder: Path) -> None:
    claim(str(folder / "shop"), folder / "home")


def note(id: str, token: str) -> str:
    """What a home leaves there."""
    left = {"id": id, "home": "/srv/shop", "host": "old", "last": "2026-11-27T02:00:00+00:00"}
    return json.dumps(left | {"token": token})


def suppressing(id: str, wrong: str, says: str, content: Content | None) -> Case:
    """A list of who must not be written to."""
    files: Mapping[str, Content] = {} if content is None else {"stop.csv": content}
    return Case(id, wrong, says, files=files, function=_suppressed)


def _suppressed(folder: Path) -> None:
    with engine() as connection:
        contacts.prepare(connection)
        read_suppression(
            connection,
            "suppressed",
            folder / "stop.csv",
            sources=["shop"],
            secret=b"known to the tests",
            default_country="BR",
        )


HEADER = "_row,_table,_drop,total\n"

GROUPS = (
    Group(
        "Suppression lists",
        "The file that the setting `suppression_path` names. One cell that cannot be read holds "
        "all campaign lists: none goes out unsuppressed because of a typing mistake.",
        (
            suppressing(
                "suppression_missing",
                "the file is not there",
                "suppression list /…/stop.csv cannot be read (No such file or directory): "
                "mend the file or the setting suppression_path; campaign lists stay as they "
                "were",
                None,
            ),
            suppressing(
                "suppression_empty",
                "no bytes at all",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found nothing; campaign lists stay as they were",
                "",
            ),
            suppressing(
                "suppression_encoding",
                "bytes that are no UTF-8",
                "/…/stop.csv: expected text in UTF-8; save it so; campaign lists stay as they were",
                "email\n\xe9@example.com\n".encode("latin-1"),
            ),
            suppressing(
                "suppression_semicolon",
                "semicolons instead of commas",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found email;phone; campaign lists stay as they were",
                "email;phone\n",
            ),
            suppressing(
                "suppression_column",
                "a column that it does not have",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found email, e-mail; campaign lists stay as they were",
                "email,e-mail\n",
            ),
            suppressing(
                "suppression_no_header",
                "no header",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found a first line of 1 value, which seem to be data and no "
                "names: text of 15 characters; campaign lists stay as they were",
                "ana@example.com\nbo@example.com\n",
            ),
            suppressing(
                "suppression_nobody",
                "no column that names customers",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found country; campaign lists stay as they were",
                "country\nBR\n",
            ),
            suppressing(
                "suppression_twice",
                "a column twice",
                "/…/stop.csv, row 1: expected a header of some of customer_key, source, "
                "source_customer_id, email, phone, country, each once, with one that names "
                "customers, found email, email; campaign lists stay as they were",
                "email,email\n",
            ),
            suppressing(
                "suppression_fewer",
                "fewer cells than the header has",
                "/…/stop.csv, row 2: expected 2 cells, as in the header, found fewer; "
                "campaign lists stay as they were",
                "email,country\na@example.com\n",
            ),
            suppressing(
                "suppression_more",
                "more cells",
                "/…/stop.csv, row 2: expected 1 cell, as in the header, found more; campaign "
                "lists stay as they were",
                "email\na@example.com,b@example.com\n",
            ),
            suppressing(
                "suppression_blank",
                "a row that names nobody",
                "/…/stop.csv, row 3: expected a value in one of customer_key, "
                "source_customer_id, email, phone, found none; campaign lists stay as they "
                "were",
                "email,country\n\n ,BR\n",
            ),
            suppressing(
                "suppression_quote",
                "a quotation mark that nothing closes",
                "/…/stop.csv, row 2: unexpected end of data; close a quotation mark that "
                "opens there; campaign lists stay as they were",
                'email\n"a@example.com\n',
            ),
            suppressing(
                "suppression_email",
                "no e-mail address",
                "/…/stop.csv, row 3, column email: expected an e-mail address or its "
                "SHA-256; campaign lists stay as they were",
                "email\na@example.com\nnobody\n",
            ),
            suppressing(
                "suppression_phone",
                "no phone number",
                "/…/stop.csv, row 2, column phone: expected a phone number with + and "
                "country code in front, or its SHA-256; or set column country or the setting "
                "default_country; campaign lists stay as they were",
                "phone\n12\n",
            ),
            suppressing(
                "suppression_key",
                "no customer key",
                "/…/stop.csv, row 2, column customer_key: expected 64 hexadecimal digits; "
                "campaign lists stay as they were",
                "customer_key\n0123\n",
            ),
            suppressing(
                "suppression_source",
                "an id of a source that is not active",
                "/…/stop.csv, row 2, column source_customer_id: expected an id with its "
                "source, one of shop, in column source; campaign lists stay as they were",
                "source,source_customer_id\nother,1\n",
            ),
            suppressing(
                "suppression_beside",
                "a bad identifier beside a good one",
                "/…/stop.csv, row 2, column email: expected an e-mail address or its "
                "SHA-256; campaign lists stay as they were",
                f"customer_key,email\n{KEY},nobody\n",
            ),
        ),
    ),
    Group(
        "Lists of whom to forget, and new secrets",
        "",
        (
            forgetting(
                "people_missing",
                "the file is not there",
                "--file people.txt: no such file or directory; give a file that may be read",
                None,
            ),
            forgetting(
                "people_empty",
                "nobody in it",
                "--file people.txt: it names nobody; name one person a line",
                "# to be forgotten\n\n",
            ),
            forgetting(
                "people_encoding",
                "bytes that are no UTF-8",
                "--file people.txt: expected text in UTF-8; save it so",
                b"Andr\xe9\n",
            ),
            forgetting(
                "people_unknown",
                "nobody is known by what it names",
                "nobody in silver/customers is known by ann@shop.example, 10023: give an id "
                "as its source states it, a customer key, an e-mail address or a phone "
                "number; cdnow:ID means one who is only in quarantine, too",
                "ann@shop.example\n10023\n",
            ),
            Case(
                "secret_short",
                "a new secret of three characters",
                "--secret-file new.txt: expected 16 characters or more, found 3; `openssl "
                "rand -hex 32` makes a good one",
                ("privacy", "rotate-key", "--secret-file", "new.txt"),
                {**HOME, "new.txt": "abc\n"},
            ),
            Case(
                "secret_file_missing",
                "the file of a new secret is not there",
                "--secret-file new.txt: no such file or directory; name a file with the new "
                "secret in a line",
                ("privacy", "rotate-key", "--secret-file", "new.txt"),
                HOME,
            ),
        ),
        by="privacy forget --file people.txt",
    ),
    Group(
        "Rows of quarantine, edited",
        "",
        (
            replaying(
                "edits_no_row",
                "no column of the rows' ids",
                "--edits rows.csv: expected a column _row with the rows' ids, found total; "
                "write the file by `customer360 quarantine show TABLE --to FILE.csv` and "
                "edit that",
                "total\n8.00\n",
            ),
            replaying(
                "edits_column_twice",
                "a column twice",
                "--edits rows.csv: column total stands there twice; name it once",
                "_row,total,total\nrow-0123456789abcdef,1,1\n",
            ),
            replaying(
                "edits_ragged",
                "a value too many",
                "--edits rows.csv line 2: expected 4 values as in the header, found 5; put "
                "values that hold the delimiter in quotation marks",
                HEADER + "row-0123456789abcdef,bakery_orders,,8,00\n",
            ),
            replaying(
                "edits_id",
                "an id that is none",
                "--edits rows.csv line 2: expected an id like row-0123456789abcdef in column "
                "_row, found 17; leave that column as `customer360 quarantine show` wrote it",
                HEADER + "17,bakery_orders,,8.00\n",
            ),
            replaying(
                "edits_drop",
                "a word that is neither yes nor no",
                "--edits rows.csv line 2: expected yes or nothing in column _drop, found "
                "text of 5 characters; yes leaves the row out for good",
                HEADER + "row-0123456789abcdef,bakery_orders,maybe,8.00\n",
            ),
            replaying(
                "edits_of_no_table",
                "rows of a table that is not there",
                "--edits rows.csv line 2: expected a table of the active sources "
                "(synthetic_customers, synthetic_transactions) in column _table, found "
                "bakery_orders; name it there or as the argument TABLE",
                HEADER + "row-0123456789abcdef,bakery_orders,,8.00\n",
            ),
        ),
        by="quarantine replay --edits rows.csv --by Ana",
    ),
    Group(
        "Backups",
        "",
        (
            restoring(
                "backup_missing",
                "nothing there",
                "copy is no backup: it has no manifest.json; name a folder that `customer360 "
                "backup` made",
                {},
            ),
            restoring(
                "backup_unfinished",
                "a copy that was not finished: it has no manifest",
                "copy is no backup: it has no manifest.json; name a folder that `customer360 "
                "backup` made",
                {"copy/home/customer360.yaml": "sources: [cdnow]\n"},
            ),
            restoring(
                "backup_manifest",
                "a manifest that is no JSON",
                "copy/manifest.json is no manifest of a backup (Expecting property name "
                "enclosed in double quotes: line 1 column 2 (char 1)): take another backup",
                {"copy/manifest.json": "{"},
            ),
            restoring(
                "backup_manifest_words",
                "a manifest without what it must say",
                "copy/manifest.json is no manifest of a backup (it names no files): take "
                "another backup",
                {"copy/manifest.json": "{}"},
            ),
            restoring(
                "backup_changed",
                "a file that changed since",
                "copy/home/customer360.yaml is not what it was when the backup was made: "
                "take another backup",
                {
                    "copy/manifest.json": manifest(
                        listed("home/customer360.yaml", b"sources: [olist]\n")
                    ),
                    "copy/home/customer360.yaml": b"sources: [cdnow]\n",
                },
            ),
            restoring(
                "backup_lost",
                "a file that is gone",
                "copy/home/customer360.yaml is gone, and manifest.json names it: take "
                "another backup",
                {
                    "copy/manifest.json": manifest(
                        listed("home/customer360.yaml", b"sources: [olist]\n")
                    )
                },
            ),
            restoring(
                "backup_outside",
                "a path that leads out of the home",
                "copy/manifest.json names home/../../etc/passwd, which is outside of a home: "
                "no backup says so; find out who changed it",
                {"copy/manifest.json": manifest(listed("home/../../etc/passwd", b""))},
            ),
            restoring(
                "restore_over",
                "a home that is not empty",
                "/…/again is not empty: restore into a home that is, and name it by --home",
                {"copy/manifest.json": manifest(), "again/customer360.yaml": "sources: [cdnow]\n"},
            ),
            Case(
                "restore_secrets",
                "a file of secrets that is none",
                "secrets.yaml is no file of secrets, as `customer360 backup --secrets` writes "
                "it: Expecting value: line 1 column 1 (char 0)",
                ("restore", "copy", "--home", "again", "--secrets", "secrets.yaml"),
                {"copy/manifest.json": manifest(), "secrets.yaml": "hush\n"},
            ),
            Case(
                "backup_over",
                "a folder that is there already",
                "/…/copy is there already: name a new folder, such as one with the date",
                ("backup", "copy", "--home", "shop"),
                {"shop/customer360.yaml": "sources: [cdnow]\n", "copy/notes.txt": ""},
            ),
            Case(
                "backup_inside",
                "a folder within the home",
                "/…/shop/copy is in the home: a backup belongs on another disk",
                ("backup", "shop/copy", "--home", "shop"),
                {"shop/customer360.yaml": "sources: [cdnow]\n"},
            ),
        ),
        by="restore copy --home again",
    ),
    Group(
        "What lies beside the tables in an object store",
        "`customer360-home.json`, by which one home writes them "
        "([who may](object-store.md#who-may-write)).",
        (
            claiming(
                "lakehouse_of_another_home",
                "a note of another home",
                f"{FOLDER}/shop is written by another home, /srv/shop on old, last at "
                "2026-11-27T02:00:00+00:00, and two would overwrite each other's commits: give "
                "this one a prefix of its own, or, if that home is gone, delete "
                f"{FOLDER}/shop/{OWNER}",
                note("theirs", "second"),
            ),
            claiming(
                "lakehouse_of_another_copy",
                "a note of a copy of this home, which wrote since it was copied",
                f"{FOLDER}/shop is written by another copy of this home, /srv/shop on old, last at "
                "2026-11-27T02:00:00+00:00, and two would overwrite each other's commits: go on "
                "with that one, or, if it is gone for good or this one was set back to an earlier "
                f"time, delete {FOLDER}/shop/{OWNER}",
                note("ours", "third"),
            ),
            claiming(
                "lakehouse_with_an_empty_note",
                "an empty file, or one of something else",
                f"{FOLDER}/shop/{OWNER} is no note of a home; delete it if no other home writes "
                "there",
                "",
            ),
        ),
    ),
    Group(
        "Model files, and orders to predict from",
        "",
        (
            predicting(
                "model_of_others",
                "a pickle that this deployment did not write",
                "revenue.pkl was not written by this deployment, and reading a pickle runs "
                "what is in it: `customer360 train revenue` writes the deployment's own "
                "again; a file of somebody whom you trust is read by `customer360 predict "
                "--trust-pickle`",
                pickle.dumps("a model"),
            ),
            Case(
                "model_changed",
                "one whose seal does not fit: it was changed",
                "data/models/revenue.pkl was not written by this deployment, and reading a "
                "pickle runs what is in it: `customer360 train revenue` writes the "
                "deployment's own again; a file of somebody whom you trust is read by "
                "`customer360 predict --trust-pickle`",
                ("predict", "orders.csv", "-o", "revenue.csv"),
                {
                    "orders.csv": "order_id\n",
                    "data/models/revenue.pkl": pickle.dumps("a model"),
                    "data/models/revenue.pkl.seal": "0" * 64,
                    "data/secrets/model_files": "known to the tests",
                },
            ),
            predicting(
                "model_no_pickle",
                "a trusted file that is no pickle",
                "revenue.pkl is no readable revenue model (UnpicklingError); give a .pkl "
                "that this version of customer360 has made",
                b"not a pickle",
                "--trust-pickle",
            ),
            predicting(
                "model_of_another_kind",
                "a trusted pickle of something else",
                "revenue.pkl is a pickled str, not a revenue model; give a .pkl that "
                "customer360 has made",
                pickle.dumps("a model"),
                "--trust-pickle",
            ),
            Case(
                "orders_missing",
                "no file of orders",
                "orders.csv: there is no such file; name a CSV or Parquet of orders",
                ("predict", "orders.csv", "-o", "revenue.csv", "--model", "revenue.pkl"),
                {"revenue.pkl": b""},
            ),
            Case(
                "model_missing",
                "no such model file",
                "none.pkl: there is no revenue model: run `customer360 train revenue` first, "
                "or give one by --model",
                ("predict", "orders.csv", "-o", "revenue.csv", "--model", "none.pkl"),
                {"orders.csv": ""},
            ),
        ),
        by="predict orders.csv -o revenue.csv --model revenue.pkl",
    ),
)
