"""How settings become flags: tyro with their groups, sentences and constraints."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from arttl.settings import Bound, Setting, Settings, groups_of, settings_of

_RECIPE = (
    "Read these settings from a YAML file, such as the config.yaml of a run, or from a recipe of arttl by its name,"
    " such as paper for arttl train. Flags given beside it win."
)


def flags_of(kind: type[Settings]) -> dict[str, tuple[str, ...] | None]:
    """The flags of a settings dataclass, each with the values that it may take.

    Returns:
        Flag to its choices: none of them where it takes any value, None where it takes none.
    """
    flags: dict[str, tuple[str, ...] | None] = {}
    with registry_for(kind, {}, False):
        for setting in settings_of(kind).values():
            if any(each is tyro.conf.Positional for each in setting.annotations(object)):
                continue
            spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(setting.hint, set()))
            choices = tuple(getattr(spec, "choices", None) or ())
            if set(choices) == {"True", "False"}:
                flags |= {setting.flag: None, setting.flag.replace("--", "--no-", 1): None}
            else:
                flags[setting.flag] = tuple(choice for choice in choices if choice != "None")
    return flags


def registry_for(kind: type[Any], values: Mapping[str, Any], recipe: bool) -> ConstructorRegistry:
    """The rules by which tyro makes flags of a settings dataclass.

    Args:
        kind: the dataclass; the groups that it has or inherits become titled sections of the help.
        values: name to value of the settings whose default is another here.
        recipe: whether to have a flag --recipe, which is accepted and has no effect: it has been read into `values`.
    """
    registry = ConstructorRegistry()
    groups, inherited, settings = groups_of(kind), _inherited_groups(kind), settings_of(kind)
    sections = groups | inherited
    in_sections = {
        *groups,
        *(field.name for base in inherited.values() for field in dataclasses.fields(base)),
    }

    def command(**given: Any) -> Any:
        if recipe:
            del given["recipe"]
        for name in inherited:
            given |= vars(given.pop(name))
        return kind(**given)

    def field_of(setting: Setting) -> StructFieldSpec:
        default = values.get(setting.name, setting.default)
        if default is dataclasses.MISSING:
            default = tyro.MISSING_NONPROP
        shown = tyro.conf.arg(help_behavior_hint=_Behaviour(setting, default))
        return _field(setting.name, Annotated[setting.hint, shown], default, setting.text)

    @registry.struct_rule
    def with_groups(info: StructTypeInfo) -> StructConstructorSpec | None:
        if info.type in sections.values():
            fields = [field_of(settings[field.name]) for field in dataclasses.fields(info.type)]
            # A group itself, so that tyro shows its docstring.
            return StructConstructorSpec(instantiate=info.type, fields=tuple(fields))
        if info.type is not kind:
            return None
        fields = [
            field_of(settings[field.name])
            for field in dataclasses.fields(kind)
            if field.name not in in_sections
        ]
        if recipe:
            quiet = tyro.conf.arg(help_behavior_hint="")
            fields.insert(0, _field("recipe", Annotated[Path | None, quiet], None, _RECIPE))
        for name, group in sections.items():
            title = tyro.conf.arg(name=name.replace("_", "-"))
            fields.append(_field(name, Annotated[group, title], tyro.MISSING_NONPROP))
        return StructConstructorSpec(instantiate=command, fields=tuple(fields))

    @registry.primitive_rule
    def optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
        """A setting that may be left out is shown as the type it has otherwise; None still leaves it out."""
        options = [option for option in get_args(info.type) if option is not NoneType]
        if info.type_origin not in (Union, UnionType) or len(options) != 1 or len(get_args(info.type)) != 2:
            return None
        inner = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(options[0], info.markers))
        if not isinstance(inner, PrimitiveConstructorSpec) or inner.nargs != 1:
            return None
        return dataclasses.replace(
            inner,
            instance_from_str=lambda words: None if words == ["None"] else inner.instance_from_str(words),
            is_instance=lambda value: value is None or inner.is_instance(value),
            str_from_instance=lambda value: ["None"] if value is None else inner.str_from_instance(value),
            choices=None if inner.choices is None else ("None", *inner.choices),
        )

    return registry


@dataclasses.dataclass(frozen=True)
class _Behaviour:
    """The brackets after a setting's sentence: its constraints, and its default where it has one."""

    setting: Setting
    default: Any

    def __call__(self, label: str) -> str:
        parts = [bound.text for bound in self.setting.annotations(Bound)]
        if label and self.default not in (None, ()):
            parts.append(f"default: {label}")
        return f"({'; '.join(parts)})" if parts else ""


def _inherited_groups(kind: type[Any]) -> dict[str, type[Settings]]:
    """The groups that a command's settings are derived from, by the first word of their names."""
    return {
        re.sub("Settings$", "", base.__name__).lower(): base
        for base in reversed(kind.__bases__)
        if issubclass(base, Settings) and base is not Settings
    }


def _field(name: str, hint: Any, default: Any, text: str | None = None) -> StructFieldSpec:
    return StructFieldSpec(name=name, type=hint, default=default, helptext=text)
