"""The OpenAPI document says what is true: its examples are run, its answers are those given."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from hyperfocal.server.app import create_app
from hyperfocal.server.openapi import example_picture
from hyperfocal.server.settings import ServerSettings

METHODS = ("get", "post", "put", "patch", "delete", "head")


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return create_app(ServerSettings(data=tmp_path_factory.mktemp("data"))).openapi()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation


def examples(operation):
    """(kind of body, example) of an operation."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" in content:
            yield kind, content["example"]
        for example in content.get("examples", {}).values():
            yield kind, example["value"]


def test_the_example_picture_is_a_picture():
    import hyperfocal

    picture = hyperfocal.open(example_picture())
    assert (picture.width, picture.height) == (16, 12)


def test_every_json_example_is_answered_as_described(document, running):
    seen = 0
    for method, path, operation in operations(document):
        for kind, example in examples(operation):
            assert kind == "application/json"
            if path == "/v1/feedback":
                # A verdict is about a request that was answered.
                running.client.post(
                    "/v1/upscale", content=b"abc", headers={"x-request-id": example["request_id"]}
                )
            answer = running.client.request(method, path, json=example)
            assert answer.status_code < 300, (path, answer.text)
            check_described(operation, answer, document)
            seen += 1
    assert seen >= 5


def test_every_picture_body_that_is_described_is_taken(document, running):
    picture = example_picture()
    seen = 0
    for method, path, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if content["schema"].get("format") == "binary":
                answer = running.client.request(
                    method, path, content=picture, headers={"content-type": kind}
                )
            elif "image" in content["schema"].get("properties", {}) and kind.startswith("multi"):
                answer = running.client.request(method, path, files={"image": picture})
            else:
                continue
            assert answer.status_code < 300, (path, kind, answer.text)
            check_described(operation, answer, document)
            seen += 1
    assert seen >= 15


def test_every_get_is_answered_as_described(document, running):
    for method, path, operation in operations(document):
        if method != "get" or path.endswith("/events"):
            continue
        answer = running.client.get(path.replace("{", "").replace("}", ""))
        check_described(operation, answer, document)


def check_described(operation, answer, document):
    """That the status is listed, and JSON has the members it should have."""
    described = operation["responses"]
    assert str(answer.status_code) in described, (answer.request.url, answer.status_code)
    content = described[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    assert not content or kind in content or any("*" in one for one in content), (
        answer.request.url, kind, list(content),
    )  # fmt: skip
    schema = content.get(kind, {}).get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert set(schema.get("required", ())) <= set(answer.json())
        assert set(answer.json()) <= set(schema["properties"])


def test_every_operation_says_what_may_go_wrong(document):
    for method, path, operation in operations(document):
        responses = operation["responses"]
        assert operation["summary"], path
        assert operation["description"], path
        for status, response in responses.items():
            if status.startswith(("4", "5")):
                assert list(response["content"]) == ["application/problem+json"], (path, status)
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
        if path.startswith("/v1/") and "results" not in path:
            assert {"401", "403", "429", "503"} <= set(responses), path
        if method == "post" and "pictures" in operation["tags"]:
            assert {"406", "408", "413", "415", "422", "504"} <= set(responses), path


def test_names_of_operations_are_unique(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(document):
    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                assert node["$ref"].startswith("#/components/schemas/"), node
                assert node["$ref"].rpartition("/")[2] in document["components"]["schemas"], node
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert "HTTPValidationError" not in json.dumps(document)


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_of_documentation_needs_nothing_from_elsewhere(document, running):
    answer = running.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    seen = _Seen()
    seen.feed(answer.text)
    assert "script" not in seen.tags
    # Relative: below a prefix that a proxy takes away they are still found.
    assert set(seen.links) == {"openapi.json", "docs/style.css"}
    for link in seen.links:
        assert running.client.get(urljoin("/docs", link)).status_code == 200
    text = "".join(seen.text)
    for path in document["paths"]:
        assert path in text
    assert "urn:hyperfocal" not in text.split("</h1>")[0]


def test_what_is_in_the_document_cannot_become_html():
    from hyperfocal.server.docs_page import render

    evil = "<script>alert(1)</script>"
    operation = {
        "summary": evil,
        "description": evil,
        "tags": [evil],
        "parameters": [
            {"name": evil, "in": "query", "schema": {"type": evil}, "description": evil}
        ],
        "requestBody": {
            "content": {evil: {"schema": {"properties": {evil: {}}}, "example": {evil: evil}}}
        },
        "responses": {"200": {"description": evil, "content": {evil: {}}}},
    }
    page = render({"info": {"title": evil, "version": evil}, "paths": {evil: {"get": operation}}})
    assert "<script" not in page
