"""A validator for the part of JSON Schema 2020-12 that the project's schemas use; a keyword beyond it is an error."""
import json
import os
import re

DOC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "doc")
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def load(name):
    with open(os.path.join(DOC, name), encoding="utf-8") as f:
        return json.load(f)


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def same(one, other):
    """1 and True are not the same to JSON."""
    return type(one) is type(other) and one == other


class Validator:
    """others: schemas that may be referred to by their $id."""

    def __init__(self, root, *others):
        self.root = root
        self.others = {schema["$id"]: Validator(schema) for schema in others}

    def errors(self, value, schema=None, at="$"):
        """Everything that is wrong, as sentences."""
        schema = self.root if schema is None else schema
        found = []
        for key, arg in schema.items():
            if key in ANNOTATIONS or key in ("then", "else"):
                continue
            check = getattr(self, "check_" + key.lstrip("$").lower(), None)
            if check is None:
                raise ValueError("keyword %s at %s: not supported" % (key, at))
            found += check(arg, value, schema, at)
        return found

    def check_ref(self, arg, value, schema, at):
        if arg in self.others:
            return self.others[arg].errors(value, None, at)
        if not arg.startswith("#/"):
            raise ValueError("$ref %s: not known" % arg)
        target = self.root
        for name in arg[2:].split("/"):
            target = target[name]
        return self.errors(value, target, at)

    def check_type(self, arg, value, schema, at):
        names = arg if isinstance(arg, list) else [arg]
        return [] if any(is_type(value, name) for name in names) else ["%s: %r is not %s" % (at, value, "/".join(names))]

    def check_const(self, arg, value, schema, at):
        return [] if same(value, arg) else ["%s: %r is not %r" % (at, value, arg)]

    def check_enum(self, arg, value, schema, at):
        return [] if any(same(value, one) for one in arg) else ["%s: %r is none of %s" % (at, value, arg)]

    def check_properties(self, arg, value, schema, at):
        if not isinstance(value, dict):
            return []
        return [e for name in arg if name in value for e in self.errors(value[name], arg[name], "%s.%s" % (at, name))]

    def check_required(self, arg, value, schema, at):
        return ["%s: lacks %s" % (at, n) for n in arg if isinstance(value, dict) and n not in value]

    def check_additionalproperties(self, arg, value, schema, at):
        if arg is not False:
            raise ValueError("additionalProperties other than false: not supported")
        if not isinstance(value, dict):
            return []
        return ["%s: %s is not in the schema" % (at, n) for n in value if n not in schema.get("properties", {})]

    def check_items(self, arg, value, schema, at):
        if not isinstance(value, list):
            return []
        return [e for i, item in enumerate(value) for e in self.errors(item, arg, "%s[%d]" % (at, i))]

    def check_uniqueitems(self, arg, value, schema, at):
        twice = arg and isinstance(value, list) and any(same(a, b) for i, a in enumerate(value) for b in value[:i])
        return ["%s: something is there twice" % at] if twice else []

    def check_minitems(self, arg, value, schema, at):
        return ["%s: less than %d" % (at, arg)] if isinstance(value, list) and len(value) < arg else []

    def check_maxitems(self, arg, value, schema, at):
        return ["%s: more than %d" % (at, arg)] if isinstance(value, list) and len(value) > arg else []

    def check_minimum(self, arg, value, schema, at):
        return ["%s: %d is less than %d" % (at, value, arg)] if is_type(value, "integer") and value < arg else []

    def check_maximum(self, arg, value, schema, at):
        return ["%s: %d is more than %d" % (at, value, arg)] if is_type(value, "integer") and value > arg else []

    def check_minlength(self, arg, value, schema, at):
        return ["%s: is too short" % at] if isinstance(value, str) and len(value) < arg else []

    def check_pattern(self, arg, value, schema, at):
        wrong = isinstance(value, str) and re.search(arg, value) is None
        return ["%s: %r is not like %s" % (at, value, arg)] if wrong else []

    def check_oneof(self, arg, value, schema, at):
        found = [self.errors(value, one, at) for one in arg]
        fits = sum(not errors for errors in found)
        return [] if fits == 1 else ["%s: fits %d of %d forms: %s" % (at, fits, len(arg), found)]

    def check_allof(self, arg, value, schema, at):
        return [e for one in arg for e in self.errors(value, one, at)]

    def check_not(self, arg, value, schema, at):
        return ["%s: must not be like %s" % (at, arg)] if not self.errors(value, arg, at) else []

    def check_if(self, arg, value, schema, at):
        branch = schema.get("else" if self.errors(value, arg, at) else "then")
        return [] if branch is None else self.errors(value, branch, at)


def verdict_errors(verdict):
    return Validator(load("verdict.schema.json")).errors(verdict)
