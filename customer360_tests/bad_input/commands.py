"""Commands that cannot be carried out: what was typed, or what is not there yet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from customer360_tests.bad_input.case import MAPPING, Case, Group, nothing_else
from customer360_tests.bad_input.files import BAKERY, HEADER, ROWS
from customer360_tests.held_home import holder


def typed(
    id: str, line: str, says: str, *, wrong: str = "", code: int = 1, make: object = nothing_else
) -> Case:
    """A command in a folder where nothing is."""
    return Case(id, wrong, says, tuple(line.split()), make=make, code=code)  # type: ignore[arg-type]


def _written_by_another(folder: Path) -> AbstractContextManager[object]:
    home = folder / "data"
    home.mkdir()
    return holder(home)


def _home_is_file(folder: Path) -> AbstractContextManager[object]:
    (folder / "data").write_text("")
    return nullcontext()


def _home_there(folder: Path) -> AbstractContextManager[object]:
    (folder / "data").mkdir()
    return nullcontext()


def _raw_of_others(folder: Path) -> AbstractContextManager[object]:
    (folder / "data/raw/synthetic/transactions").mkdir(parents=True)
    return nullcontext()


WORDS = Group(
    "Words that no command knows",
    "The exit code is 2, and 1 everywhere else.",
    (
        typed(
            "no_such_command",
            "tabels",
            "no such command 'tabels', did you mean 'tables'? See `customer360 --help`",
            code=2,
        ),
        typed(
            "no_such_option",
            "show gold/rfm_segments --limt 3",
            "no such option: --limt, did you mean --limit? See `customer360 show --help`",
            code=2,
        ),
        typed(
            "no_argument", "show", "missing argument 'table'; see `customer360 show --help`", code=2
        ),
        typed(
            "too_many_arguments",
            "tables gold",
            "got unexpected extra argument(s) (gold); see `customer360 tables --help`",
            code=2,
        ),
        typed(
            "no_value",
            "run --from",
            "option '--from' requires an argument; see `customer360 --help`",
            code=2,
        ),
        typed(
            "no_number",
            "show gold/rfm_segments --limit many",
            "--limit: 'many' must be a whole number; see `customer360 show --help`",
            code=2,
        ),
        typed(
            "out_of_range",
            "show gold/rfm_segments --limit 0",
            "--limit: '0' must be at least 1; see `customer360 show --help`",
            code=2,
        ),
        typed(
            "no_choice",
            "tables --format xml",
            "--format: 'xml' is not one of 'table', 'json', 'csv'; see `customer360 tables --help`",
            code=2,
        ),
        typed(
            "no_rows_to_print",
            "check orders.csv --mapping shop.yaml --format csv",
            "--format: 'csv' is not one of 'table', 'json'; see `customer360 check --help`",
            code=2,
        ),
        typed(
            "no_model",
            "train fraud",
            "model: 'fraud' is not one of 'churn', 'lifetime-value', 'revenue'; see "
            "`customer360 train --help`",
            code=2,
        ),
    ),
)

DAYS = Group(
    "Days",
    "",
    (
        typed(
            "from_words",
            "run --from yesterday",
            "--from: 'yesterday' is not a date like 2025-12-31",
        ),
        typed(
            "to_no_such_day",
            "run --to 2024-02-30",
            "--to: '2024-02-30' is not a date like 2025-12-31",
        ),
        typed(
            "as_of_form",
            "run --as-of 31/12/2024",
            "--as-of: '31/12/2024' is not a date like 2025-12-31",
        ),
        typed(
            "export_day",
            "export whales --as-of 2024",
            "--as-of: '2024' is not a date like 2025-12-31",
        ),
        typed(
            "generate_days",
            "generate --from 2024-02-01 --to 2024-01-01",
            "date range ends before it begins: 2024-02-01 to 2024-01-01; swap the two",
            wrong="ends before it begins",
        ),
        typed(
            "generate_centuries",
            "generate --from 1800-01-01 --to 2024-01-01",
            "generate: 1800-01-01 to 2024-01-01 is 81,815 days, must be 1 to 36,525; "
            "both ends are included",
        ),
        Case(
            "range_before_it_begins",
            "the range ends before it begins",
            "date range ends before it begins: 2024-05-20 to 2024-05-10; swap the two",
            (
                "run",
                "--mapping",
                MAPPING,
                "--path",
                "may.csv",
                "--from",
                "2024-05-20",
                "--to",
                "2024-05-10",
            ),
            {MAPPING: BAKERY, "may.csv": HEADER + ROWS},
        ),
        Case(
            "from_after_the_data",
            "the sources end before",
            "--from 2025-05-20 is after the last day that the sources have, 2024-05-28: "
            "give an earlier one, or --to as well",
            ("run", "--mapping", MAPPING, "--path", "may.csv", "--from", "2025-05-20"),
            {MAPPING: BAKERY, "may.csv": HEADER + ROWS},
        ),
        Case(
            "to_before_the_data",
            "the sources begin after",
            "--to 2023-05-20 is before the first day that the sources have, 2024-05-01: "
            "give a later one, or --from as well",
            ("run", "--mapping", MAPPING, "--path", "may.csv", "--to", "2023-05-20"),
            {MAPPING: BAKERY, "may.csv": HEADER + ROWS},
        ),
        Case(
            "as_of_outside",
            "a snapshot of a day that the deployment does not have",
            "2031-01-01 is outside this deployment's days, 2024-05-01 to 2024-05-28; see "
            "start_date and end_date in customer360.yaml",
            ("run", "--mapping", MAPPING, "--path", "may.csv", "--as-of", "2031-01-01"),
            {MAPPING: BAKERY + "closed: true\n", "may.csv": HEADER + ROWS},
        ),
    ),
)

SOURCES = Group(
    "Sources, files and homes",
    "",
    (
        typed(
            "source_unknown",
            "run --source shop",
            "source 'shop' is unknown; choose from synthetic, cdnow, olist, files, postgres",
        ),
        typed(
            "source_without_data",
            "run --source synthetic",
            "source synthetic: no complete data set in data/raw/synthetic; run "
            "`customer360 generate`",
            wrong="nothing was generated",
        ),
        typed(
            "path_of_nothing",
            "run --source olist --path /no/such/folder",
            "--path /no/such/folder: there is no such file or folder",
        ),
        typed(
            "path_of_synthetic",
            "run --source synthetic --path .",
            "--path is for one source, olist or files, but the sources are synthetic; "
            "set the paths by CUSTOMER360_OLIST_PATH and CUSTOMER360_FILES_PATH instead",
            wrong="a source that has no path",
        ),
        typed(
            "run_without_mapping",
            "run --source files",
            "source files: no mapping; give --mapping YAML or set CUSTOMER360_FILES_MAPPING",
        ),
        typed(
            "mapping_of_two",
            "run --source files --source postgres --mapping shop",
            "--mapping is for one source, files or postgres; set the mappings by "
            "CUSTOMER360_FILES_MAPPING and CUSTOMER360_POSTGRES_MAPPING instead",
        ),
        typed(
            "generate_over_others",
            "generate --customers 10 --from 2024-01-01 --to 2024-01-02",
            "data/raw/synthetic: holds transactions/ that no generator made (no "
            "truth/manifest.json); move it away or choose another folder",
            wrong="rows there that no generator made",
            make=_raw_of_others,
        ),
        typed(
            "generate_seed",
            "generate --seed -1",
            "--seed: '-1' must be at least 0; see `customer360 generate --help`",
            code=2,
        ),
        typed(
            "home_is_a_file",
            "run --source cdnow",
            "data is a file: name the folder of a deployment by --home",
            wrong="the home is a file",
            make=_home_is_file,
        ),
        typed(
            "home_busy",
            "run --source cdnow",
            "data is being written by customer360 run (process …, since …); run this "
            "again when that has ended",
            wrong="another process writes the home",
            make=_written_by_another,
        ),
        typed(
            "maintain_nothing",
            "maintain --home shop",
            "shop is no deployment: run `customer360 run` to make one, or name another by --home",
            wrong="no deployment there",
        ),
        typed(
            "dashboard_nothing",
            "dashboard --home shop",
            "shop is no deployment: run `customer360 run` to make one, or name another by --home",
            wrong="no deployment there",
        ),
        typed(
            "warehouse_nothing",
            "warehouse up --home shop",
            "shop is no deployment: run `customer360 run` to make one, or name another by --home",
            wrong="no deployment there",
        ),
        typed(
            "server_of_a_server",
            "spark-server --master sc://other:15002",
            "--master sc://other:15002: a server computes on local[N] or spark://…",
            wrong="a Spark Connect server that would compute on another one",
        ),
    ),
)

NOTHING_YET = Group(
    "What is not there yet",
    "",
    (
        typed(
            "show_nothing",
            "show gold/rfm_segments",
            "table gold/rfm_segments does not exist in /…/data/lakehouse: run "
            "`customer360 run` first, see `customer360 tables` for those that do, or "
            "name another deployment by --home",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "show_unknown",
            "show rfm_segments",
            "table rfm_segments does not exist in /…/data/lakehouse, did you mean "
            "gold/rfm_segments? Else run `customer360 run` first, see `customer360 tables` for "
            "those that do, or name another deployment by --home",
            wrong="no table's name",
            make=_home_there,
        ),
        typed(
            "tables_nowhere",
            "tables --home shop",
            "shop is no deployment: run `customer360 run` to make one, or name another by --home",
            wrong="no deployment there",
        ),
        typed(
            "export_nothing",
            "export whales",
            "table gold/customer_360 does not exist in /…/data/lakehouse: run "
            "`customer360 run` first, see `customer360 tables` for those that do, or "
            "name another deployment by --home",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "export_unknown",
            "export loyals",
            "list 'loyals' is unknown; the lists are at_risk_valuable, whales, win_back, "
            "second_purchase",
            wrong="no such list",
        ),
        typed(
            "uplift_no_file",
            "uplift --campaign june.csv",
            "campaign june.csv cannot be read (No such file or directory): name a CSV file by "
            "--campaign",
            wrong="no such file",
            make=_home_there,
        ),
        typed(
            "uplift_nobody",
            "uplift",
            "nobody was kept back on the call list so far: mark contacts there, or give a past "
            "campaign by --campaign",
            wrong="nobody was marked as contacted",
            make=_home_there,
        ),
        typed(
            "uplift_window",
            "uplift --window 120",
            "who is kept back on the call list may be contacted after 91 days: choose 91 or fewer "
            "by --window",
            wrong="longer than the call list keeps back",
            make=_home_there,
        ),
        typed(
            "explain_nothing",
            "explain ann",
            "table gold/customer_360 does not exist in /…/data/lakehouse: run "
            "`customer360 run` first, see `customer360 tables` for those that do, or "
            "name another deployment by --home",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "models_nothing",
            "models",
            "no model has been trained yet: run `customer360 run`",
            wrong="nothing was trained",
            make=_home_there,
        ),
        typed(
            "promote_nothing",
            "promote churn 3",
            "churn has no version 3; it has none yet: `customer360 train` makes one",
            wrong="nothing was trained",
            make=_home_there,
        ),
        typed(
            "rollback_nothing",
            "rollback churn",
            "churn has no earlier champion to go back to; `customer360 models` lists the "
            "versions there are",
            wrong="nothing was trained",
            make=_home_there,
        ),
        typed(
            "evaluate_nothing",
            "evaluate churn",
            "table silver/customer_days does not exist in /…/data/lakehouse: run "
            "`customer360 run` first, see `customer360 tables` for those that do, or "
            "name another deployment by --home",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "train_nothing",
            "train churn",
            "source synthetic: no complete data set in data/raw/synthetic; run "
            "`customer360 generate`",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "train_from_warehouse",
            "train revenue --from-warehouse",
            "there is no warehouse yet: `customer360 run` makes and fills it",
            wrong="no warehouse",
            make=_home_there,
        ),
        typed(
            "train_other_from_warehouse",
            "train churn --from-warehouse",
            "--from-warehouse trains the revenue model, up to the days the table has: "
            "customer360 train revenue --from-warehouse",
            wrong="a model that the warehouse does not teach",
        ),
        typed(
            "psql_nothing",
            "warehouse psql",
            "there is no warehouse yet: `customer360 run` makes and fills it",
            wrong="no warehouse",
            make=_home_there,
        ),
        typed(
            "quarantine_nothing",
            "quarantine show shop_orders",
            "no quarantine table shop_orders: those of /…/data/lakehouse are none; "
            "--home names another deployment",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "edits_by_nobody",
            "quarantine replay --edits rows.csv",
            "--edits needs --by NAME: edited rows carry who edited them",
            wrong="nobody says who edited",
        ),
        typed(
            "edits_of_nothing",
            "quarantine replay --by Ana",
            "--by needs --edits FILE: without edits the rows come as delivered",
            wrong="no edits",
        ),
        typed(
            "edits_missing",
            "quarantine replay --edits rows.csv --by Ana",
            "--edits rows.csv: no such file or directory; name the CSV that `quarantine "
            "show --to` wrote",
            wrong="the file is not there",
            make=_home_there,
        ),
        typed(
            "alert_to_nobody",
            "alert test",
            "nobody is to be told: set alert_webhook_url, or alert_email_to and "
            "alert_smtp_url, in customer360.yaml or by CUSTOMER360_ALERT_WEBHOOK_URL",
            wrong="no channel is set",
        ),
        typed(
            "report_of_nobody",
            "privacy report ann",
            "nobody in silver/customers is known by ann: give an id as its source states "
            "it, a customer key, an e-mail address or a phone number; synthetic:ID means "
            "one who is only in quarantine, too",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "report_language",
            "privacy report ann --language fr",
            "--language fr: expected one of en, pt",
            wrong="a language that there is not",
        ),
        typed(
            "resume_nothing",
            "privacy forget --resume",
            "no erasure was stopped: there is nothing to resume",
            wrong="nothing was stopped",
            make=_home_there,
        ),
        typed(
            "forget_nobody",
            "privacy forget --yes",
            "nobody to forget: name people by id, key, e-mail or phone, or --file",
            wrong="nobody is named",
            make=_home_there,
        ),
        typed(
            "forget_unknown",
            "privacy forget ann --yes",
            "nobody in silver/customers is known by ann: give an id as its source states "
            "it, a customer key, an e-mail address or a phone number; synthetic:ID means "
            "one who is only in quarantine, too",
            wrong="nobody is known by it",
            make=_home_there,
        ),
        typed(
            "rotate_nothing",
            "privacy rotate-key",
            "there is no silver/customers yet, so there are no keys to rotate",
            wrong="no run yet",
            make=_home_there,
        ),
        typed(
            "backup_nothing",
            "backup copy",
            "data is no deployment: run `customer360 run` to make one, or name another by --home",
            wrong="no deployment there",
        ),
        typed(
            "predict_nothing",
            "predict orders.csv -o revenue.csv",
            "data/models/revenue.pkl: there is no revenue model: run `customer360 train "
            "revenue` first, or give one by --model",
            wrong="no model",
            make=_home_there,
        ),
    ),
)

GROUPS = (WORDS, DAYS, SOURCES, NOTHING_YET)
