# SPDX-License-Identifier: Apache-2.0
"""Objects against schemas: Kubernetes' own of several versions, and those in the definitions of KEDA's and Prometheus' resources.
Strict: a member that no schema knows is a mistake."""

import jsonschema
import kubernetes_validate
import yaml

VERSIONS = ("1.29", "1.34")  # the oldest that is meant to work, and the newest that the package knows


def close(schema):
    """A copy in which every object with known members has no others, and what Kubernetes adds to JSON schema is said in JSON schema."""
    if isinstance(schema, list):
        return [close(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items() if key != "properties"}
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {key: close(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if schema.get("nullable"):
        return {"anyOf": [{"type": "null"}, closed]}
    return closed


def custom(folder):
    """(apiVersion, kind) -> validator, of all definitions in the folder."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            schema = close(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            key = (f"{definition['group']}/{version['name']}", definition["names"]["kind"])
            found[key] = jsonschema.Draft202012Validator(schema)
    return found


def wrong_with(doc, customs, version):
    """What is wrong with one object, as texts."""
    name = f"{doc.get('kind')}/{doc.get('metadata', {}).get('name')}"
    validator = customs.get((doc.get("apiVersion"), doc.get("kind")))
    if validator:
        return [f"{name}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(doc)]
    try:
        kubernetes_validate.validate(doc, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{name}: {'.'.join(str(step) for step in error.path)}: {error.message[:200]}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{name}: {error.message}"]
    return []


def wrong_in(docs, customs):
    return [f"Kubernetes {version}: {text}" for version in VERSIONS for doc in docs for text in wrong_with(doc, customs, version)]
