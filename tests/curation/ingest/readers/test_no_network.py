"""Documents that point at a server: nobody calls it."""

import http.server
import threading

from curation.ingest.config import SourceConfig
from curation.ingest.file_records import read_file


def test_hostile_documents_call_nobody() -> None:
    calls = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"a,b\n1,2\n")

        def log_message(self, *_: object) -> None:
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        files = {
            "a.xml": f'<!DOCTYPE r SYSTEM "{url}/dtd" [<!ENTITY f SYSTEM "{url}/f">]><r><i>&f;</i></r>',
            "p.xml": f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{url}/p"> %p;]><r><i>1</i></r>',
            "b.xml": f'<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}/inc"/><i>1</i><i>2</i></r>',
            "a.html": f'<link rel="stylesheet" href="{url}/css"><img src="{url}/img"><iframe src="{url}/f"></iframe><p>text',
            "a.rst": f"T\n=\n\n.. csv-table::\n   :url: {url}/csv\n\n.. raw:: html\n   :url: {url}/raw\n",
            "a.md": f"# T\n\n![i]({url}/img) <img src={url}/x>",
        }
        source = SourceConfig(name="s", kind="files", path="x")
        found = {name: read_file(source, name, text.encode()).num_records for name, text in files.items()}
        server.shutdown()
        thread.join()
    assert min(found.values()) >= 1
    assert calls == []
