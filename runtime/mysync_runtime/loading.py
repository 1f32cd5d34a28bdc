"""From a YAML file and the environment to `Settings`, or to a paragraph that says what is wrong."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from mysync_runtime.errors import ConfigError
from mysync_runtime.settings import Settings

PREFIX = "MYSYNC_"
NESTED = "__"
CONFIG_VARIABLE = "MYSYNC_CONFIG"
"""Path of the settings file when the command line names none."""

Role = Literal["producer", "consumer"]
NEEDED: Mapping[Role, tuple[str, ...]] = {
    "producer": ("kafka", "source"),
    "consumer": ("kafka", "target"),
}


def load(path: Path | str | None = None, *, role: Role | None = None) -> Settings:
    """Reads the settings; `role` demands the sections that this service can't do without.

    Without a path `MYSYNC_CONFIG` names the file; without either the environment alone must do.
    Raises ConfigError.
    """
    named = path or os.environ.get(CONFIG_VARIABLE)
    place = str(named) if named else "the environment"
    given = _resolve_files(_read_yaml(Path(named)), place) if named else {}
    _refuse_misspelt_variables()
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError(_explain(error), where=place) from None
    except SettingsError as error:
        raise ConfigError(
            "a variable of this section must be JSON", where=_variable_in(str(error))
        ) from None
    if role is not None:
        missing = [s for s in NEEDED[role] if s not in settings.model_fields_set]
        if missing:
            raise ConfigError(f"the {role} needs the section {' and '.join(missing)}", where=place)
    return settings


def masked(settings: Settings) -> dict[str, Any]:
    """All settings in force as plain values, secrets replaced by `**********`."""
    return settings.model_dump(mode="json")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the settings file, the `…_file` keys of secrets included."""
    schema = Settings.model_json_schema()
    for model in (schema, *schema.get("$defs", {}).values()):
        properties = model.get("properties", {})
        for name in [n for n, p in properties.items() if _is_secret_schema(p)]:
            properties[f"{name}_file"] = {
                "type": "string",
                "description": f"path of a file that holds `{name}`",
            }
    return schema


class EnvironmentWithFiles(EnvSettingsSource):
    """The variables, where `…_FILE` names a file that holds the secret."""

    def __call__(self) -> dict[str, Any]:
        return _resolve_files(super().__call__(), "the environment")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the settings file can't be read: {error}", mend="Name it with --config."
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"the settings file isn't YAML: {problem}", where=line) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError("the settings file must be a mapping of names", where=str(path))
    return content


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key given twice is an error instead of a silent last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _resolve_files(given: dict[str, Any], place: str, at: tuple[str, ...] = ()) -> dict[str, Any]:
    model = _model_at(at)
    result: dict[str, Any] = {}
    for name, value in given.items():
        secret = name.removesuffix("_file")
        if secret != name and model is not None and _is_secret(model, secret):
            if secret in given:
                dotted = ".".join((*at, secret))
                raise ConfigError(f"{dotted} and {dotted}_file are both given", where=place)
            result[secret] = _secret_from(str(value), ".".join((*at, name)))
        elif isinstance(value, dict):
            result[name] = _resolve_files(value, place, (*at, name))
        else:
            result[name] = value
    return result


def _secret_from(path: str, setting: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the secret's file can't be read: {error}",
            where=setting,
            mend="Check path and rights.",
        ) from None


def _refuse_misspelt_variables() -> None:
    # pydantic-settings passes over top-level names it doesn't know. With `__` they can only be
    # meant for us; without, other MYSYNC_ names are in use (the lab, Kubernetes' own variables).
    known = Settings.model_fields
    for name in os.environ:
        if not name.upper().startswith(PREFIX):
            continue
        first, nested, _ = name[len(PREFIX) :].lower().partition(NESTED)
        if first in known:
            continue
        near = difflib.get_close_matches(first, known, n=1, cutoff=0.8)
        if nested or near:
            raise ConfigError(
                f"{name} sets nothing{_nearest(first, known)}", where="the environment"
            )


def _variable_in(message: str) -> str:
    field = re.search(r'field "(\w+)"', message)
    return f"{PREFIX}{field[1].upper()}" if field else f"{PREFIX}…"


def _explain(error: ValidationError) -> str:
    return "; ".join(
        _explain_one(tuple(str(part) for part in e["loc"]), e["type"], e["msg"])
        for e in error.errors(include_input=False, include_url=False)
    )


def _explain_one(at: tuple[str, ...], kind: str, message: str) -> str:
    dotted = ".".join(at)
    if kind == "extra_forbidden":
        model = _model_at(at[:-1])
        known = list(model.model_fields) if model is not None else []
        return f"{dotted} is not a setting{_nearest(at[-1], known, at[:-1])}"
    if kind == "missing":
        return f"{dotted} is missing"
    text = message.removeprefix("Value error, ")
    return f"{dotted}: {text[:1].lower()}{text[1:]}" if dotted else text


def _nearest(name: str, known: Iterable[str], at: tuple[str, ...] = ()) -> str:
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if near:
        return f", did you mean {'.'.join((*at, near[0]))}?"
    return f" (known here: {', '.join(choices)})" if choices else ""


def _model_at(at: tuple[str, ...]) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    for name in at:
        field = model.model_fields.get(name)
        annotation = field.annotation if field is not None else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return model


def _is_secret(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and (
        field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    )


def _is_secret_schema(schema: Mapping[str, Any]) -> bool:
    return any(s.get("format") == "password" for s in (schema, *schema.get("anyOf", ())))
