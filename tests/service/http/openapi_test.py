"""Checks that the published API is a subset of ours, as the documents say it.

    python tests/service/http/openapi_test.py

published_api.json has the structure of the two published documents: whoever
sends what they allow is understood, and whoever reads what they promise finds
it. Ours may take and tell more.
"""

import json
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
OURS = json.loads((ROOT / "service/http/openapi.json").read_text())
PUBLISHED = json.loads((HERE / "published_api.json").read_text())


def resolve(schema: dict, document: dict) -> dict:
    while "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        # The published document of clicks names a schema that it lacks.
        schema = document["components"]["schemas"].get(name, {})
    return schema


def alternatives(schema: dict, document: dict) -> list[dict]:
    """What a schema allows, one kind of value each."""
    schema = resolve(schema, document)
    if "anyOf" in schema:
        return [kind for each in schema["anyOf"]
                for kind in alternatives(each, document)]
    types = schema.get("type")
    if isinstance(types, list):
        return [{**schema, "type": kind} for kind in types]
    return [schema]


class Comparison(unittest.TestCase):
    def takes(self, theirs, document, path):
        """Every value that `theirs` allows is one that ours allows."""
        def wrong(ours):
            kinds = alternatives(ours, OURS)
            for kind in alternatives(theirs, document):
                if "type" not in kind:
                    continue
                matching = [each for each in kinds
                            if each.get("type") == kind["type"]
                            or (kind["type"], each.get("type")) ==
                            ("integer", "number")]
                if not matching:
                    return f"{path}: {kind['type']} is not taken"
                problems = [self.inside(each, kind, document, path, "takes")
                            for each in matching]
                if all(problems):
                    return problems[0]
            return None
        return wrong

    def tells(self, theirs, document, path):
        """Some value that ours tells is of the kind that `theirs` promises."""
        def wrong(ours):
            problems = []
            promised = alternatives(theirs, document)
            for kind in promised:
                if "type" not in kind:
                    return None
                for each in alternatives(ours, OURS):
                    if each.get("type") != kind["type"]:
                        problems.append(f"{path}: no {kind['type']}")
                        continue
                    problem = self.inside(each, kind, document, path, "tells")
                    if problem is None:
                        return None
                    problems.append(problem)
            return problems[0]
        return wrong

    def inside(self, ours, theirs, document, path, rule):
        check = getattr(self, rule)
        if theirs.get("type") == "array":
            return check(theirs["items"], document, path + "[]")(ours["items"])
        for name, schema in theirs.get("properties", {}).items():
            if name not in ours.get("properties", {}):
                return f"{path}.{name} is missing"
            problem = check(schema, document, f"{path}.{name}")(
                ours["properties"][name])
            if problem:
                return problem
        required, other = ours.get("required", []), theirs.get("required", [])
        if rule == "takes" and not set(required) <= set(other):
            return f"{path} requires {sorted(set(required) - set(other))}"
        if rule == "tells" and not set(other) <= set(required):
            return f"{path} may lack {sorted(set(other) - set(required))}"
        if rule == "takes" and ours.get("minItems", 0) > theirs.get("minItems", 0):
            return f"{path} wants more items"
        return None

    def test_every_published_route_is_ours(self):
        checked = 0
        for document in PUBLISHED.values():
            for path, methods in document["paths"].items():
                for method, theirs in methods.items():
                    ours = OURS["paths"][path][method]
                    with self.subTest(path=path):
                        self.parameters(ours, theirs)
                        self.request(ours, theirs, document)
                        self.responses(ours, theirs, document)
                    checked += 1
        self.assertEqual(checked, 2)

    def parameters(self, ours, theirs):
        have = {p["name"]: p for p in ours["parameters"]}
        for parameter in theirs["parameters"]:
            self.assertIn(parameter["name"], have)
            mine = have[parameter["name"]]
            self.assertEqual(mine["in"], parameter["in"])
            self.assertEqual(mine["schema"]["type"], parameter["schema"]["type"])
        names = {p["name"] for p in theirs["parameters"] if p.get("required")}
        self.assertLessEqual({p["name"] for p in ours["parameters"]
                              if p.get("required")}, names)

    def request(self, ours, theirs, document):
        def schema(operation):
            return operation["requestBody"]["content"]["application/json"][
                "schema"]
        problem = self.takes(schema(theirs), document, "request")(schema(ours))
        self.assertIsNone(problem)
        self.assertGreater(
            len(resolve(schema(theirs), document)["properties"]), 5)

    def responses(self, ours, theirs, document):
        for status, response in theirs["responses"].items():
            self.assertIn(status, ours["responses"])
            for kind, content in response["content"].items():
                mine = ours["responses"][status]["content"][kind]
                problem = self.tells(content["schema"], document,
                                     f"response {status}")(mine["schema"])
                self.assertIsNone(problem)

    def test_references_lead_somewhere(self):
        text = json.dumps(OURS)
        for name in OURS["components"]["schemas"]:
            self.assertIn(f'"#/components/schemas/{name}"', text, name)
        for part in text.split('"#/components/schemas/')[1:]:
            self.assertIn(part.split('"')[0], OURS["components"]["schemas"])

    def test_the_comparison_sees_what_is_missing(self):
        document = PUBLISHED["concept_segment"]
        theirs = {"$ref": "#/components/schemas/Sam3SegmentationRequest"}
        for change in ({"required": ["image", "prompts", "format"]},
                       {"properties": {}}):
            ours = {**OURS["components"]["schemas"]["Sam3SegmentationRequest"],
                    **change}
            self.assertIsNotNone(self.takes(theirs, document, "x")(ours))
        answer = {"$ref": "#/components/schemas/Sam3SegmentationResponse"}
        ours = {**OURS["components"]["schemas"]["Sam3SegmentationResponse"],
                "required": []}
        self.assertIsNotNone(self.tells(answer, document, "x")(ours))


if __name__ == "__main__":
    sys.exit(unittest.main())
