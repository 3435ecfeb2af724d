"""The Python client gql against a server: gql_client.py http://127.0.0.1:8080

Runs over its aiohttp, httpx and requests transports; prints "ok" at the end.
"""

import asyncio
import io
import sys
from urllib.request import urlopen

from gql import Client, FileVar, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.requests import RequestsHTTPTransport

SIGN_UP = gql("mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { code } } }")
UPLOAD = gql(
    """mutation ($input: UploadFileInput!) {
      uploadFile(input: $input) { file { id name size revision downloadUrl { url } } userErrors { code } }
    }"""
)
FILES = gql(
    """query ($first: Int, $after: String) {
      files(first: $first, after: $after) { totalCount nodes { name } pageInfo { hasNextPage endCursor } }
    }"""
)
EDIT = gql("mutation ($input: EditFileInput!) { editFile(input: $input) { file { name } userErrors { code field } } }")
TRASH = gql("mutation ($input: TrashFilesInput!) { trashFiles(input: $input) { files { state } userErrors { code } } }")
PURGE = gql("mutation ($input: PurgeFilesInput!) { purgeFiles(input: $input) { purgedIds userErrors { code } } }")


async def story(name, connect, first="möwe.txt"):
    """`connect(token)` gives a function that runs a document with variables, and perhaps with files among them."""
    stranger = await connect(None)
    try:
        await stranger(FILES, {"first": 1})
        raise AssertionError("a stranger has no files")
    except TransportQueryError as error:
        assert error.errors[0]["extensions"]["code"] == "UNAUTHENTICATED", error
    person = {"username": name, "email": f"{name}@example.org", "firstName": "Ada", "lastName": "", "password": f"{name} at sea"}
    signed_up = (await stranger(SIGN_UP, {"input": person}))["signUp"]
    assert signed_up["userErrors"] == [], signed_up
    run = await connect(signed_up["token"])
    uploaded = []
    for title in [first, "beach.txt"]:
        file = FileVar(io.BytesIO(title.encode()), filename=title, content_type="text/plain")
        payload = (await run(UPLOAD, {"input": {"file": file, "tags": ["sea"]}}, files=True))["uploadFile"]
        assert payload["userErrors"] == [] and payload["file"]["name"] == title, payload
        assert urlopen(payload["file"]["downloadUrl"]["url"]).read() == title.encode()
        uploaded.append(payload["file"])
    names, after = [], None
    while True:
        page = (await run(FILES, {"first": 1, "after": after}))["files"]
        assert page["totalCount"] == 2, page
        names += [node["name"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == ["beach.txt", first], names
    edit = {"input": {"id": uploaded[0]["id"], "revision": uploaded[0]["revision"], "name": "gull.txt"}}
    assert (await run(EDIT, edit))["editFile"] == {"file": {"name": "gull.txt"}, "userErrors": []}
    edit["input"]["name"] = "tern.txt"
    assert (await run(EDIT, edit))["editFile"]["userErrors"] == [{"code": "STALE_REVISION", "field": "revision"}]
    ids = [file["id"] for file in uploaded]
    assert [file["state"] for file in (await run(TRASH, {"input": {"ids": ids}}))["trashFiles"]["files"]] == ["TRASHED"] * 2
    assert (await run(PURGE, {"input": {"ids": ids}}))["purgeFiles"]["purgedIds"] == ids


def asynchronous(transport, url):
    async def connect(token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # The schema is fetched by introspection, and every document is checked against it before it is sent.
        client = Client(transport=transport(url=url, headers=headers), fetch_schema_from_transport=True)

        async def run(document, variables, files=False):
            document.variable_values = variables
            async with client as session:
                return await session.execute(document, upload_files=files)

        return run

    return connect


def synchronous(url):
    async def connect(token):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client = Client(transport=RequestsHTTPTransport(url=url, headers=headers), fetch_schema_from_transport=True)

        async def run(document, variables, files=False):
            document.variable_values = variables
            return await asyncio.to_thread(client.execute, document, upload_files=files)

        return run

    return connect


async def main():
    url = f"{sys.argv[1]}/graphql"
    # aiohttp percent-encodes names, and the server shows them as they come.
    await story("gql-aiohttp", asynchronous(AIOHTTPTransport, url), "gulls.txt")
    await story("gql-httpx", asynchronous(HTTPXAsyncTransport, url))
    await story("gql-requests", synchronous(url))
    print("ok")


asyncio.run(main())
