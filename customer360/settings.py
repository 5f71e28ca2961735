"""Every setting, its default and its environment variable: the one place that reads either.

A value is looked for, in this order: an argument of the command, the environment
(``CUSTOMER360_<NAME>``), the deployment's own file ``<home>/customer360.yaml``, the default.
The deployment file is what makes ``--home`` a whole deployment: the sources chosen once are
still the sources when the Dagster daemon starts tonight.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from filelock import FileLock
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableSettingError

from customer360.errors import SettingsError, first_line, shortened
from customer360.lakehouse_uri import object_store_uri
from customer360.mistakes import COUNTRY, meant, must_be, own_words
from customer360.redaction import is_secret, without_credentials
from customer360.table_names import CUSTOMERS
from customer360.yaml_text import UnreadableYamlError, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEPLOYMENT_FILE = "customer360.yaml"
HOME_VARIABLE = "CUSTOMER360_HOME"
DEFAULT_HOME = Path("data")
FILES_KEPT = ("exports", "reports", "privacy/reports")
"""Of the names in ``retention_days``, those of folders of files."""

CONTACTS_KEPT = "contacts"
"""Of the names in ``retention_days``, that of who was marked as contacted, in the warehouse."""


def _words(value: object) -> object:
    """Let lists be given as ``a,b`` in the environment."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


class Settings(BaseSettings):
    """Settings of one deployment; build it with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="CUSTOMER360_", extra="forbid", validate_default=True
    )

    home: Path = Field(DEFAULT_HOME, description="Folder that holds the whole deployment.")

    temp_dir: Path | None = Field(
        None,
        description="Folder for temporary files, of rows among others; unset: tmp in the home. For "
        "a home on a slow disk.",
    )

    lakehouse_uri: Annotated[str | None, AfterValidator(object_store_uri)] = Field(
        None,
        description="Object store of the tables, s3a://bucket/prefix (gs:// and abfss:// too); "
        "unset: lakehouse in the home. Credentials come from the environment alone.",
    )

    # Sources
    sources: Annotated[list[str], NoDecode, BeforeValidator(_words)] = Field(
        ["synthetic"], description="Active sources; several are unified into one silver layer."
    )
    olist_path: Path | None = Field(None, description="Folder or zip with the nine Olist CSVs.")
    cdnow_dataset: Literal["sample", "full"] = Field(
        "sample", description="CDNOW's classic 2,357-customer sample, or all 23,570 customers."
    )
    files_path: Path | None = Field(
        None, description="File or folder of the `files` source; a mapping may name its own."
    )
    files_mapping: Annotated[list[str], NoDecode, BeforeValidator(_words)] = Field(
        [], description="YAML mappings of the `files` source, or names of mappings that ship."
    )
    postgres_url: SecretStr | None = Field(
        None,
        description="Database of the `postgres` source, postgresql://user@host/database; the "
        "password may also be in PGPASSWORD or ~/.pgpass.",
    )
    postgres_mapping: Annotated[list[str], NoDecode, BeforeValidator(_words)] = Field(
        [], description="YAML mappings of the `postgres` source, or names of mappings that ship."
    )

    # Time and money
    start_date: date = Field(date(2024, 1, 1), description="First daily partition.")
    end_date: date | None = Field(
        None, description="Last daily partition of a closed data set; unset: up to yesterday."
    )
    time_zone: str | None = Field(
        None, description="Zone of the business's dates; unset: the source's own zone."
    )
    trailing_days: int = Field(
        7, ge=1, description="Days that the nightly run reloads, for late data."
    )
    nightly_cron: str = Field(
        "0 2 * * *", description="When the nightly schedule ticks, in the business's zone."
    )
    retrain_cron: str = Field(
        "0 4 * * 0", description="When the retraining schedule ticks, in the business's zone."
    )
    lock_wait_seconds: float = Field(
        14_400,
        ge=0,
        description="How long a run of Dagster's waits while another process writes the home.",
    )
    quarantine_limit: float = Field(
        0.05, ge=0, le=1, description="Share of a table's rows in quarantine that stops the flow."
    )
    quarantine_tolerance: int = Field(
        5,
        ge=0,
        description="So many rows in quarantine do not stop the flow, as long as their share of "
        "the money does not: tiny days have shares.",
    )
    quarantine_money_limit: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of a table's money in quarantine that stops the flow; unset: as "
        "quarantine_limit. Both also bound what silver leaves out without being told to.",
    )

    # Models
    lifetime_value_model: Literal["auto", "bg_nbd", "mbg_nbd", "pareto_nbd"] = Field(
        "auto",
        description="Purchase model; auto chooses it, with rules of thumb, on earlier days.",
    )
    lifetime_value_time_unit_days: int = Field(
        7, ge=1, description="Days in a unit of model time: 7 fits in weeks."
    )
    lifetime_value_holdout_days: int = Field(
        273, ge=1, description="Days held out to validate the lifetime-value model: 39 weeks."
    )
    lifetime_value_intervals: bool = Field(
        True, description="Intervals of every customer's lifetime value; without, twice as fast."
    )
    score_reasons: bool = Field(
        True,
        description="Reasons with every score of churn and revenue; without, many times as fast.",
    )
    lifetime_value_promotion_figure: Literal[
        "purchases_mae", "purchases_rmse", "revenue_mae", "revenue_rmse"
    ] = Field("purchases_rmse", description="Holdout figure by which a new model is promoted.")
    churn_promotion_figure: Literal["brier", "log_loss", "roc_auc", "pr_auc"] = Field(
        "brier", description="Test figure by which a new model is promoted."
    )
    promotion_margin: float = Field(
        0.0, ge=0, lt=1, description="Share by which a new model must beat the champion's figure."
    )
    discount_rate_annual: float = Field(
        0.10, ge=0, description="Annual rate that discounts future revenue."
    )
    churn_horizon_days: int | None = Field(
        None, ge=1, description="Days without a purchase that count as churn; unset: from the data."
    )
    churn_activity_days: int | None = Field(
        None, ge=1, description="A customer with a purchase in these days is active; unset: data."
    )
    churn_max_training_rows: int = Field(
        1_000_000, ge=100, description="Customer × as-of rows of churn training on the driver."
    )
    churn_trainer: Literal["auto", "local", "spark"] = Field(
        "auto",
        description="Where churn's trees grow: in process, on Spark, or on a cluster for more rows "
        "than that.",
    )
    churn_contact_cost: float = Field(
        1.0,
        ge=0,
        description="Cost of contacting a customer to keep them, incentive included, in currency.",
    )
    churn_success_rate: float = Field(
        0.1, ge=0, le=1, description="Share of the contacted churners who stay because of it."
    )
    churn_margin: float = Field(
        0.3, ge=0, le=1, description="Share of a kept customer's revenue that is profit."
    )
    revenue_horizon_days: int = Field(
        91, ge=1, description="Days ahead whose revenue is predicted: a quarter in whole weeks."
    )
    revenue_max_training_rows: int = Field(
        200_000, ge=100, description="Customer × as-of rows of revenue training on the driver."
    )
    revenue_promotion_figure: Literal[
        "rmse", "mae", "spearman", "normalized_gini", "top_decile_capture"
    ] = Field("rmse", description="Test figure by which a new model is promoted.")
    drift_limit: float = Field(
        0.25,
        gt=0,
        description="Population stability index from which a feature or score has drifted.",
    )
    calibration_limit: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Gap between predicted and realised churn rate, by tenths, that warns.",
    )
    forecast_limit: float = Field(
        0.25,
        gt=0,
        description="The same of expected purchases and revenue, as a share of what came.",
    )
    mlflow_tracking_uri: SecretStr | None = Field(
        None,
        description="MLflow server or database, which may name user and password; unset: SQLite in "
        "the home.",
    )
    mlflow_artifacts: str | None = Field(
        None,
        description="Folder or s3://bucket/folder of plots and models, where MLflow is a database; "
        "unset: the home. A server keeps them by itself.",
    )

    # Warehouse
    warehouse_url: SecretStr | None = Field(
        None,
        description="PostgreSQL to publish to, postgresql://user@host/database; unset: a server "
        "of its own in the home.",
    )
    warehouse_reader_url: SecretStr | None = Field(
        None,
        description="The same database as a role that may only read; unset: a role that is made.",
    )
    warehouse_snapshots: int = Field(
        13, ge=1, description="As-of dates that the warehouse keeps of each table; older ones go."
    )
    published_group_min: int = Field(
        5,
        ge=1,
        description="Customers that must share a text (a city, a category, a channel) for it to be "
        "published, and learnt from; with fewer it is told as its state, or as other. 1: all are.",
    )
    publish_personal_data: bool = Field(
        False, description="Whether names, e-mails and the like go to the warehouse."
    )

    # Dashboard
    dashboard_personal_data: bool = Field(
        False, description="Whether the dashboard shows published names and the like unmasked."
    )

    # Alerts
    alert_webhook_url: SecretStr | None = Field(
        None,
        description="Address that takes alerts in Slack's form; part of it is a secret.",
    )
    alert_email_to: Annotated[list[str], NoDecode, BeforeValidator(_words)] = Field(
        [], description="Who gets alerts by e-mail, by alert_smtp_url."
    )
    alert_email_from: str | None = Field(
        None, description="Whom such e-mail is from; unset: customer360 at this machine."
    )
    alert_smtp_url: SecretStr | None = Field(
        None, description="Server that sends them, smtp://user:password@host:587 or smtps://…"
    )
    alert_repeat_hours: float = Field(
        24, gt=0, description="Hours after which what still holds is told again."
    )
    freshness_days: int = Field(
        2, ge=1, description="Days since the newest sale from which data count as old."
    )

    # Upkeep
    maintain_cron: str = Field(
        "0 6 * * 0", description="When upkeep runs by itself, in the business's zone."
    )
    vacuum_hours: float = Field(
        168,
        ge=0,
        description="For so long files of former versions of tables are kept, for who reads them.",
    )
    optimize_after_commits: int = Field(
        20, ge=1, description="Commits of a table after which its small files are put together."
    )
    keep_runs_days: int = Field(
        365, ge=1, description="Days that Dagster's runs are kept; what is shown of a table longer."
    )
    keep_model_versions: int = Field(
        50, ge=1, description="Versions of each model that are kept, beside those with an alias."
    )

    # Spark
    spark_master: str = Field(
        "local[*]", description="local[N], spark://… or sc://… for Spark Connect."
    )
    spark_driver_memory: str = Field("2g", description="Heap of the driver.")
    spark_shuffle_partitions: int = Field(4, ge=1, description="Shuffle partitions.")
    day_folder_rows: int = Field(
        100_000,
        ge=1,
        description="Rows a day from which a new table gets a folder a day; below, one a month.",
    )
    spark_conf: dict[str, str] = Field(
        default_factory=dict,
        description="Any further spark.* settings, as JSON.",
        examples=[{"spark.sql.ansi.enabled": "true"}],
    )
    spark_java_options: str = Field(
        "",
        description="Further options of the JVM; -XX:TieredStopAtLevel=1 compiles less: good for "
        "small data and short runs; it needs -XX:ReservedCodeCacheSize=240m beside it.",
    )
    jars_dir: Path | None = Field(None, description="Where the Delta jars are kept; unset: cache.")

    # Privacy
    customer_key_secret: str | None = Field(
        None, description="Secret of the customer keys; unset: made once, kept in the home."
    )

    forgotten_sales: Literal["anonymous", "removed"] = Field(
        "anonymous",
        description="What becomes of the sales of a person who is forgotten: they stay in the "
        "business's figures as sales of nobody, or go.",
    )

    # Campaign lists
    suppression_path: Path | None = Field(
        None, description="CSV of who must not be written to, whatever their consent says."
    )
    export_contacts: Literal["none", "hashed", "plain"] = Field(
        "none", description="What exported lists say of how to reach their members."
    )
    export_personal_data: bool = Field(
        False, description="Whether exports may hold names, e-mails and phones in the clear."
    )
    export_never_asked: bool = Field(
        False, description="Whether exports hold customers who were never asked for consent."
    )
    contact_pause_days: int = Field(
        30,
        ge=0,
        description="Days for which who was marked as contacted is not on the call list again.",
    )
    contact_control_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of those who are marked as contacted that is kept back at random, to "
        "learn what contacting does: off the call list for the pause, or for revenue_horizon_days "
        "where that is longer.",
    )
    default_country: str | None = Field(
        None,
        pattern=COUNTRY,
        description="ISO 3166 code that reads phone numbers of customers without a country.",
    )

    # How long; after all settings that look back on what is kept
    retention_days: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="Days that rows and files are kept, as JSON: by layer (bronze, quarantine, "
        "gold), by table, and of exports, reports, privacy/reports and contacts; what is "
        "not named is kept.",
        examples=[{"bronze": 730, "exports": 90}],
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"{value!r} is not an IANA time zone like Europe/London") from None
        return value

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        # A start that nobody stated gives way to that of the sources.
        stated = "start_date" in self.model_fields_set
        if stated and self.end_date is not None and self.end_date < self.start_date:
            raise ValueError(
                f"end_date {self.end_date} is before start_date {self.start_date}: swap the two"
            )
        return self

    @field_validator("retention_days")
    @classmethod
    def _retention_is_possible(
        cls, value: dict[str, int], others: ValidationInfo
    ) -> dict[str, int]:
        if set(value) - set(FILES_KEPT):
            # Only who asks for it pays for the contracts.
            from customer360.retention_rules import refuse_impossible

            refuse_impossible(value, others.data)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the deployment file."""
        given: dict[str, Any] = init_settings()
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _stated(_home_of(given))),
        )

    def command(self, words: str) -> str:
        """``customer360 <words>`` for this deployment, as typed in this process's folder."""
        at = "" if self.home == DEFAULT_HOME else f" --home {self.home}"
        return f"customer360 {words}{at}"

    @property
    def scratch_dir(self) -> Path:
        """Where processes keep their temporary files."""
        return self.temp_dir or self.home / "tmp"

    @property
    def raw_dir(self) -> Path:
        """Where generated raw data lands."""
        return self.home / "raw"

    @property
    def lakehouse_root(self) -> Path | str:
        """Root of the Delta tables: a folder, or the URI of an object store."""
        return self.lakehouse_uri or self.home / "lakehouse"

    def has_table(self, table: str) -> bool:
        """Whether ``table`` (``layer/table``) is there; of a folder, by that alone.

        What reads Delta's log would be loaded with whatever asks this.
        """
        if self.lakehouse_uri is None:
            return Path(self.lakehouse_root, table, "_delta_log").is_dir()
        from customer360.lakehouse.delta_log import TableLogs

        return TableLogs(self.lakehouse_uri).exists(table)

    @property
    def mlflow_dir(self) -> Path:
        """Local MLflow database and artifacts."""
        return self.home / "mlflow"

    @property
    def revenue_pickle(self) -> Path:
        """The revenue champion as a plain pickle."""
        return self.home / "models" / "revenue.pkl"

    @property
    def contact_control_days(self) -> int:
        """For so long who was kept back is off the call list: till it is known what they bought."""
        return max(self.contact_pause_days, self.revenue_horizon_days)

    @property
    def uplift_file(self) -> Path:
        """What the last campaign that was measured did: figures of groups only."""
        return self.home / "models" / "uplift.json"

    @property
    def reports_dir(self) -> Path:
        """Pages for people to read."""
        return self.home / "reports"

    @property
    def person_reports_dir(self) -> Path:
        """What is held about a person, for whoever answers them."""
        return self.home / "privacy" / "reports"

    @property
    def warehouse_dir(self) -> Path:
        """Data folder of the deployment's own PostgreSQL."""
        return self.home / "warehouse"

    @property
    def exports_dir(self) -> Path:
        """Campaign lists that people take away; may hold personal data."""
        return self.home / "exports"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI: as set, or SQLite in the home. It may hold a password."""
        if self.mlflow_tracking_uri:
            return self.mlflow_tracking_uri.get_secret_value()
        return f"sqlite:///{self.mlflow_dir.absolute()}/mlflow.db"

    def secret(self) -> bytes:
        """The secret behind ``customer_key``; made at first use, readable by its owner only.

        Raises:
            SettingsError: It is lost; its rotation was stopped; or the setting holds one that the
                keys are not made with any more.
        """
        if self.next_secret_file.exists():
            raise SettingsError(
                "a rotation of the customer key was stopped before its end: finish it by "
                f"`{self.command('privacy rotate-key --resume')}`"
            )
        if self.customer_key_secret:
            file = self._secret_file(_DIGEST)
            if file.exists() and file.read_text() != _digest(self.customer_key_secret):
                raise SettingsError(
                    "setting customer_key_secret: the keys were rotated to another one since; set "
                    "it to the secret that `privacy rotate-key` was given"
                )
            return self.customer_key_secret.encode()
        return self.secret_behind("customer_key", CUSTOMERS)

    @property
    def next_secret_file(self) -> Path:
        """The secret that keys are being rotated to, while they are."""
        return self._secret_file("customer_key.next")

    def use_next_secret(self) -> bool:
        """End a rotation: the next secret is the secret.

        Returns:
            Whether it is one of the settings, which must be changed by who keeps it.
        """
        given = bool(self.customer_key_secret)
        if given:
            write_whole(self._secret_file(_DIGEST), _digest(self.next_secret_file.read_text()))
            self.next_secret_file.unlink()
        else:
            self.next_secret_file.replace(self._secret_file("customer_key"))
        return given

    def secret_behind(self, name: str, table: str) -> bytes:
        """The kept secret that ``table`` is made with; made at first use.

        Raises:
            SettingsError: It is lost: another one would be made, and nothing would fit the table.
        """
        file = self._secret_file(name)
        if not _has_content(file) and self.has_table(table):
            state = "empty" if file.exists() else "missing"
            raise SettingsError(
                f"{file} is {state}, and {table} was made with it: put it back from a backup; "
                "with another one every customer would be a new one"
            )
        return self.kept_secret(name)

    def _secret_file(self, name: str) -> Path:
        return self.home / "secrets" / name

    def known_secret(self, name: str) -> bytes | None:
        """The deployment's secret of this name; None where it was never made."""
        file = self._secret_file(name)
        return file.read_bytes() if _has_content(file) else None

    def has_secret(self, name: str) -> bool:
        """Whether `kept_secret` has made this one."""
        return self._secret_file(name).exists()

    def kept_secret(self, name: str) -> bytes:
        """The deployment's secret of this name; made at first use, readable by its owner only."""
        file = self._secret_file(name)
        if not _has_content(file):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Of several processes one makes it; the others wait, and read what it made. An empty
            # file is what a crash left of an older release: nothing was ever made by it.
            with FileLock(file.with_name(f".{name}.lock"), mode=0o600):
                if not _has_content(file):
                    write_whole(file, secrets.token_hex(32))
        return file.read_bytes()


SECRETS = frozenset(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
) | {"customer_key_secret"}
"""Settings whose value is never part of a message."""

_SPARK_CONF = "spark_conf"
"""The setting that may hold secrets among other properties."""

_DIGEST = "customer_key.sha256"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def write_whole(file: Path, text: str) -> None:
    """Write beside and rename: whoever reads it reads all of it, whenever a crash comes."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(text.encode())
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


def load_settings(home: Path | str | None = None, **given: Any) -> Settings:
    """Settings of the deployment at ``home``.

    Raises:
        SettingsError: A value is wrong; the message names the setting, not a stack of types.
    """
    values = {name: value for name, value in given.items() if value is not None}
    if home is not None:
        values["home"] = Path(home)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_problem(error.errors()[0], _file_of(values))) from None
    except UnreadableYamlError as error:
        raise SettingsError(f"{_file_of(values)} {error}") from None
    except UnreadableSettingError as error:
        name = next(n for n in Settings.model_fields if f'"{n}"' in str(error))
        example: object = next(iter(Settings.model_fields[name].examples or ()), {})
        raise SettingsError(
            f"setting {name}: {_variable(name)} must be JSON, like {json.dumps(example)}"
        ) from None
    except ValueError as error:
        raise SettingsError(
            f"{_file_of(values)} must hold settings, a line each as `sources: [cdnow]`: {error}"
        ) from None


def _problem(problem: ErrorDetails, file: Path) -> str:
    """What is said of a setting that is wrong, without what is secret."""
    location = [str(part) for part in problem["loc"] if part != "[key]"]
    name = ".".join(location)
    if problem["type"] == "extra_forbidden":
        near = meant(name, Settings.model_fields)
        remedy = f"write {near} if that is meant" if near else "take it out"
        return f"{file}: there is no setting {name}; {remedy}"
    words = must_be(problem) or own_words(problem)
    if not location:
        return f"settings: {words}"
    value = f" ({shortened(without_credentials(repr(problem.get('input'))))})"
    if location[0] in SECRETS or (location[0] == _SPARK_CONF and is_secret(f"{name} {value}")):
        value = ""
    return (
        f"setting {name}{value}: {words}; set it by {_variable(location[0])} or in "
        f"{DEPLOYMENT_FILE}"
    )


def _variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CUSTOMER360_{name.upper()}"


def parted(stated: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings that may be shown and kept, and those that are secret, with the secrets of Spark's.

    Args:
        stated: Settings by name, as the deployment file has them.
    """
    secret = {name: value for name, value in stated.items() if name in SECRETS}
    shown = {name: value for name, value in stated.items() if name not in SECRETS}
    properties = stated.get(_SPARK_CONF)
    if isinstance(properties, Mapping):
        held = {name: value for name, value in properties.items() if is_secret(str(name))}
        if held:
            secret[_SPARK_CONF] = held
            shown[_SPARK_CONF] = {n: v for n, v in properties.items() if n not in held}
    return shown, secret


def joined(shown: Mapping[str, Any], secret: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that `parted` was given."""
    both = {**shown, **secret}
    if _SPARK_CONF in shown and _SPARK_CONF in secret:
        both[_SPARK_CONF] = {**shown[_SPARK_CONF], **secret[_SPARK_CONF]}
    return both


def _home_of(given: Mapping[str, Any]) -> Path:
    return Path(given.get("home") or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)


def _file_of(given: Mapping[str, Any]) -> Path:
    """The deployment file that settings are read from, for messages."""
    return _home_of(given) / DEPLOYMENT_FILE


def remember(home: Path, choices: Mapping[str, Any]) -> None:
    """Keep ``choices`` in the deployment file, so that later commands and the daemon use them.

    A choice of None is forgotten.
    """
    file = home / DEPLOYMENT_FILE
    kept = _stated(home)
    merged = kept | {name: _plain(value) for name, value in choices.items()}
    merged = {name: value for name, value in merged.items() if value is not None}
    if merged == kept:
        return
    home.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(".tmp")
    scratch.write_text(
        "# What this deployment is made of; written by `customer360 run`, yours to edit.\n"
        + yaml.safe_dump(merged, sort_keys=True)
    )
    scratch.replace(file)


def _stated(home: Path) -> dict[str, Any]:
    """What the deployment file of ``home`` states; nothing where there is none.

    Raises:
        ValueError: It is not a file of settings.
    """
    file = home / DEPLOYMENT_FILE
    try:
        data = read_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError:
        raise SettingsError(
            f"{home} is a file: name the folder of a deployment by --home"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"found the byte {error.object[error.start]:#04x}; save it as UTF-8"
        ) from None
    except OSError as error:
        raise ValueError((error.strerror or first_line(error)).lower()) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ValueError(f"expected `name: value`, found {shortened(repr(data))}")
    return {str(name): value for name, value in data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
