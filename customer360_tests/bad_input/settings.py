"""Settings that are unknown, wrong, or at odds with each other."""

from __future__ import annotations

from collections.abc import Mapping

from customer360_tests.bad_input.case import Case, Content, Group

HOME = "data/customer360.yaml"


def stated(
    id: str,
    line: str,
    says: str,
    *,
    wrong: str = "",
    command: tuple[str, ...] = ("tables",),
    files: Mapping[str, Content] | None = None,
) -> Case:
    """A setting in the deployment's file."""
    return Case(id, wrong or f"`{line}`", says, command, {HOME: line + "\n"} | dict(files or {}))


def exported(id: str, name: str, value: str, says: str, *, wrong: str = "") -> Case:
    """A setting in the environment."""
    return Case(id, wrong or f"`{name}={value}`", says, ("tables",), environment={name: value})


IN_FILE = Group(
    "In `customer360.yaml`",
    "",
    (
        stated(
            "unknown_setting",
            "trailling_days: 3",
            "data/customer360.yaml: there is no setting trailling_days; write "
            "trailing_days if that is meant",
        ),
        stated(
            "setting_type",
            "trailing_days: a week",
            "setting trailing_days ('a week'): must be a whole number; set it by "
            "CUSTOMER360_TRAILING_DAYS or in customer360.yaml",
        ),
        stated(
            "setting_range",
            "quarantine_limit: 1.5",
            "setting quarantine_limit (1.5): must be at most 1.0; set it by "
            "CUSTOMER360_QUARANTINE_LIMIT or in customer360.yaml",
        ),
        stated(
            "setting_below",
            "trailing_days: 0",
            "setting trailing_days (0): must be at least 1; set it by "
            "CUSTOMER360_TRAILING_DAYS or in customer360.yaml",
        ),
        stated(
            "setting_choice",
            "forgotten_sales: keep",
            "setting forgotten_sales ('keep'): must be 'anonymous' or 'removed'; set it "
            "by CUSTOMER360_FORGOTTEN_SALES or in customer360.yaml",
        ),
        stated(
            "setting_date",
            "start_date: 31/12/2024",
            "setting start_date ('31/12/2024'): must be a day like 2024-12-31; set it by "
            "CUSTOMER360_START_DATE or in customer360.yaml",
        ),
        stated(
            "setting_no_such_date",
            "end_date: '2024-02-30'",
            "setting end_date ('2024-02-30'): must be a day like 2024-12-31; set it by "
            "CUSTOMER360_END_DATE or in customer360.yaml",
        ),
        stated(
            "setting_lakehouse_scheme",
            "lakehouse_uri: hdfs://shop/lake",
            "setting lakehouse_uri ('hdfs://shop/lake'): must begin with s3a://, gs:// or "
            "abfss://; leave it out for a folder of the home; set it by CUSTOMER360_LAKEHOUSE_URI "
            "or in customer360.yaml",
        ),
        stated(
            "setting_lakehouse_bucket",
            "lakehouse_uri: s3a:///lake",
            "setting lakehouse_uri ('s3a:///lake'): must name a bucket: s3a://bucket/prefix; set "
            "it by CUSTOMER360_LAKEHOUSE_URI or in customer360.yaml",
        ),
        stated(
            "setting_lakehouse_key",
            "lakehouse_uri: s3a://AKIAKEY:hidden@shop/lake",
            "setting lakehouse_uri ('s3a://shop/lake'): must have neither keys nor options in it: "
            "they come from the environment alone, see docs/object-store.md; set it by "
            "CUSTOMER360_LAKEHOUSE_URI or in customer360.yaml",
        ),
        stated(
            "setting_zone",
            "time_zone: London",
            "setting time_zone ('London'): 'London' is not an IANA time zone like "
            "Europe/London; set it by CUSTOMER360_TIME_ZONE or in customer360.yaml",
        ),
        stated(
            "setting_country",
            "default_country: Brazil",
            "setting default_country ('Brazil'): must be an ISO code of two capital "
            "letters, like BR; set it by CUSTOMER360_DEFAULT_COUNTRY or in "
            "customer360.yaml",
        ),
        stated(
            "setting_boolean",
            "publish_personal_data: perhaps",
            "setting publish_personal_data ('perhaps'): must be true or false; set it by "
            "CUSTOMER360_PUBLISH_PERSONAL_DATA or in customer360.yaml",
        ),
        stated(
            "setting_secret",
            "warehouse_url: [hush-hush]",
            "setting warehouse_url: must be text; put it in quotation marks; set it by "
            "CUSTOMER360_WAREHOUSE_URL or in customer360.yaml",
            wrong="`warehouse_url` as a list; the value is not repeated",
        ),
        stated(
            "setting_text",
            "spark_conf: {spark.ui.enabled: true}",
            "setting spark_conf.spark.ui.enabled (True): must be text; put it in "
            "quotation marks; set it by CUSTOMER360_SPARK_CONF or in customer360.yaml",
        ),
        stated(
            "setting_twice",
            "trailing_days: 3\ntrailing_days: 4",
            "data/customer360.yaml is not YAML at line 2: the key trailing_days stands "
            "there twice, first at line 1",
            wrong="a setting that stands there twice",
        ),
        stated(
            "settings_list",
            "- sources",
            "data/customer360.yaml must hold settings, a line each as `sources: "
            "[cdnow]`: expected `name: value`, found ['sources']",
            wrong="a list instead of settings",
        ),
        stated(
            "settings_words",
            "just words",
            "data/customer360.yaml must hold settings, a line each as `sources: "
            "[cdnow]`: expected `name: value`, found 'just words'",
        ),
        stated(
            "settings_yaml",
            "sources: [synthetic",
            "data/customer360.yaml is not YAML at line 2: expected ',' or ']', but got "
            "'<stream end>'",
        ),
        Case(
            "settings_encoding",
            "bytes that are no UTF-8",
            "data/customer360.yaml must hold settings, a line each as `sources: "
            "[cdnow]`: found the byte 0xff; save it as UTF-8",
            ("tables",),
            {HOME: b"sources: \xff\n"},
        ),
        stated(
            "settings_bomb",
            "sources: &s [*s]",
            "data/customer360.yaml comes to more than 100,000 values where its anchors "
            "(&name, *name) are written out: write what is meant without them",
            wrong="an anchor that holds itself",
        ),
    ),
    by="tables",
)

IN_ENVIRONMENT = Group(
    "In the environment",
    "",
    (
        exported(
            "variable_number",
            "CUSTOMER360_QUARANTINE_LIMIT",
            "a lot",
            "setting quarantine_limit ('a lot'): must be a number; set it by "
            "CUSTOMER360_QUARANTINE_LIMIT or in customer360.yaml",
        ),
        exported(
            "variable_json",
            "CUSTOMER360_SPARK_CONF",
            "spark.ui.enabled=true",
            "setting spark_conf: CUSTOMER360_SPARK_CONF must be JSON, like "
            '{"spark.sql.ansi.enabled": "true"}',
        ),
        exported(
            "variable_json_cut",
            "CUSTOMER360_RETENTION_DAYS",
            '{"bronze": 730',
            "setting retention_days: CUSTOMER360_RETENTION_DAYS must be JSON, like "
            '{"bronze": 730, "exports": 90}',
        ),
        exported(
            "variable_empty",
            "CUSTOMER360_TRAILING_DAYS",
            "",
            "setting trailing_days (''): must be a whole number; set it by "
            "CUSTOMER360_TRAILING_DAYS or in customer360.yaml",
            wrong="`CUSTOMER360_TRAILING_DAYS=`, a number without a digit",
        ),
        exported(
            "variable_date",
            "CUSTOMER360_START_DATE",
            "yesterday",
            "setting start_date ('yesterday'): must be a day like 2024-12-31; set it by "
            "CUSTOMER360_START_DATE or in customer360.yaml",
        ),
        exported(
            "variable_no_file",
            "CUSTOMER360_HOME",
            "/dev/null",
            "/dev/null is a file: name the folder of a deployment by --home",
        ),
    ),
    by="tables",
)

BAKERY_EUR = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
columns: {order_id: Receipt, occurred_at: Day, amount: Total}
"""

TOGETHER = Group(
    "At odds with each other, or with what is there",
    "",
    (
        stated(
            "unknown_source",
            "sources: [shop]",
            "source 'shop' is unknown; choose from synthetic, cdnow, olist, files, postgres",
            command=("reconcile",),
        ),
        stated(
            "no_source",
            "sources: []",
            "setting sources is empty: name one or more of synthetic, cdnow, olist, "
            "files, postgres",
            command=("reconcile",),
        ),
        stated(
            "source_twice",
            "sources: [cdnow, cdnow]",
            "setting sources: cdnow is active twice; name it once",
            command=("reconcile",),
        ),
        stated(
            "files_without_mapping",
            "sources: [files]",
            "source files: no mapping; give --mapping YAML or set CUSTOMER360_FILES_MAPPING",
            command=("reconcile",),
        ),
        stated(
            "olist_without_path",
            "sources: [olist]",
            "source olist: no path; give --path FOLDER-OR-ZIP or set CUSTOMER360_OLIST_PATH",
            command=("reconcile",),
        ),
        stated(
            "postgres_without_url",
            "sources: [postgres]",
            "source postgres: no database; set CUSTOMER360_POSTGRES_URL to "
            "postgresql://user@host/database",
            command=("reconcile",),
        ),
        stated(
            "two_currencies",
            "sources: [files, cdnow]\nfiles_mapping: [data/shop.yaml]",
            "setting sources: one deployment has one currency, but bakery in EUR, cdnow "
            "in USD; give each its own --home",
            wrong="sources in two currencies",
            command=("reconcile",),
            files={"data/shop.yaml": BAKERY_EUR},
        ),
        stated(
            "cron",
            "nightly_cron: every night",
            "setting nightly_cron: 'every night' is not a cron expression like '0 2 * * *'",
            command=("maintain",),
        ),
        stated(
            "range_of_days",
            "start_date: 2024-12-31\nend_date: 2024-01-01",
            "settings: end_date 2024-01-01 is before start_date 2024-12-31: swap the two",
            wrong="`end_date` before `start_date`",
            command=("maintain",),
        ),
        Case(
            "secret_empty",
            "the file of the customer key's secret is empty, and customers are made with it",
            "data/secrets/customer_key is empty, and silver/customers was made with it: "
            "put it back from a backup; with another one every customer would be a new "
            "one",
            ("privacy", "report", "synthetic:ann"),
            {
                "data/secrets/customer_key": "",
                "data/lakehouse/silver/customers/_delta_log/.keep": "",
            },
        ),
        Case(
            "secret_missing",
            "that file is gone",
            "data/secrets/customer_key is missing, and silver/customers was made with "
            "it: put it back from a backup; with another one every customer would be a "
            "new one",
            ("privacy", "report", "synthetic:ann"),
            {"data/lakehouse/silver/customers/_delta_log/.keep": ""},
        ),
        Case(
            "rotation_stopped",
            "a rotation of the key was stopped",
            "a rotation of the customer key was stopped before its end: finish it by "
            "`customer360 privacy rotate-key --resume`",
            ("privacy", "report", "synthetic:ann"),
            {"data/secrets/customer_key.next": "x" * 64},
        ),
    ),
)

GROUPS = (IN_FILE, IN_ENVIRONMENT, TOGETHER)
